"""TCP connections by host and port, as sockets that their owner can cut off at any moment."""

import asyncio
import socket

Address = tuple[int, str | tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connected socket; the addresses of `host` are tried in turn and share `timeout_s`.

    Raise `OSError` of the last address where none answers. A literal address costs no thread.
    """
    addresses = await _resolve(host, port)
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s / len(addresses)):
                await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:  # a timeout is one
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    if isinstance(failure, TimeoutError):
        raise TimeoutError(f"no TCP connection to {host}:{port} within {timeout_s:g} s")
    raise failure


def hang_up(sock: socket.socket | None) -> None:
    """Cut a connection off under whatever transport uses it: the transport sees its end and frees itself."""
    if sock is not None and sock.fileno() >= 0:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # not connected any more, which was the aim
            return


async def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]
