"""Listening sockets: the addresses that a `--host` means, and a socket for each of them, all at one port.

`*` and `::` mean every address of this machine, IPv4 and IPv6; `0.0.0.0` means every IPv4 address. A name means all its
addresses. Each family has a socket of its own: with a shared socket, IPv4 clients would come from `::ffff:192.0.2.7`,
which is in no list of networks that operators write.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from ringway.errors import ConfigError
from ringway.protocol.address import bracketed, is_literal
from ringway.protocol.host import is_loopback

ANYWHERE = ("*", "::", "[::]", "0.0.0.0")


_ANY_V4, _ANY_V6 = "0.0.0.0", "::"

PORT_TRIES = 32
"""The number of attempts to find a port that is free at every address."""

Place = tuple[socket.AddressFamily, str]


def reaches_others(host: str) -> bool:
    """True if other machines reach a port at `host`, as far as the text shows it: a name may stand for any address."""
    return host in ANYWHERE or (is_literal(host) and not is_loopback(host))


class Acceptor(Protocol):
    """What accepts the connections of a socket: an `asyncio.Server`, or `net.tls.listening.TlsAcceptor`."""

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """Its sockets."""

    def close(self) -> None:
        """Stop accepting."""


MakeAcceptor = Callable[[socket.socket], Acceptor]
"""Lets a bound socket listen, and accepts its connections."""


class Listening:
    """Sockets that accept connections, until `close`."""

    def __init__(self, servers: Sequence[Acceptor]) -> None:
        self._servers = servers

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets; none after `close`."""
        return tuple(sock for server in self._servers for sock in server.sockets)

    @property
    def port(self) -> int:
        """The port, the same at all addresses; 0 after `close`."""
        return int(self.sockets[0].getsockname()[1]) if self.sockets else 0

    def close(self) -> None:
        """Stop accepting connections. Accepted connections stay open."""
        for server in self._servers:
            server.close()


async def listen(
    factory: Callable[[], asyncio.BaseProtocol],
    host: str,
    port: int,
    backlog: int,
    prepare: Callable[[socket.socket], None] | None = None,
) -> Listening:
    """Accept connections at `port` of `host`; 0 is any free port. `factory` makes the protocol of each connection.

    `prepare` is called with each socket before it listens: accepted sockets inherit the options that it sets.
    Raise `OSError` if an address is not available, `ConfigError` if `host` is not a host.
    """
    return await listen_at(bind(host, port), factory, backlog, prepare)


def accept_by(
    make_acceptor: MakeAcceptor,
    sockets: Sequence[socket.socket],
    prepare: Callable[[socket.socket], None] | None = None,
) -> Listening:
    """Accept connections at `sockets`, as `listen_at` does, by an acceptor for each."""
    acceptors: list[Acceptor] = []
    try:
        for sock in sockets:
            if prepare is not None:
                prepare(sock)
            acceptors.append(make_acceptor(sock))
    except BaseException:
        Listening(acceptors).close()
        for sock in sockets:
            sock.close()
        raise
    return Listening(acceptors)


async def listen_at(
    sockets: Sequence[socket.socket],
    factory: Callable[[], asyncio.BaseProtocol],
    backlog: int,
    prepare: Callable[[socket.socket], None] | None = None,
) -> Listening:
    """Accept connections at `sockets`, as `listen` does. They are bound already, and belong to the result."""
    loop = asyncio.get_running_loop()
    servers: list[Acceptor] = []
    try:
        for sock in sockets:
            if prepare is not None:
                prepare(sock)
            servers += [await loop.create_server(factory, sock=sock, backlog=backlog)]
    except BaseException:
        Listening(servers).close()
        for sock in sockets:
            sock.close()
        raise
    return Listening(servers)


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to `port` at all addresses of `host`, and do not listen yet. Blocks for a name.

    Raise `OSError` if an address is not available, `ConfigError` if `host` is not a host.
    """
    places = _places(host)
    for _ in range(PORT_TRIES if port == 0 else 1):
        try:
            return _bind_all(places, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            problem = error
    raise problem


def is_free(host: str, port: int) -> bool:
    """Return True if a socket could listen at `port` of `host`."""
    try:
        sockets = bind(host, port)
    except OSError:
        return False
    try:
        for sock in sockets:
            sock.listen(1)
    except OSError:
        return False
    finally:
        for sock in sockets:
            sock.close()
    return True


def reachable(host: str) -> str:
    """Return the host for URLs of a server that listens at `host`: this machine's name if it means every address."""
    return socket.gethostname() if host in ANYWHERE else bracketed(host.strip("[]"))


def _places(host: str) -> list[Place]:
    if not host:
        raise ConfigError("the host to listen at is empty; write * for all addresses, or leave it out for loopback")
    if host in ("*", "::", "[::]"):
        families = {socket.AF_INET: _ANY_V4, socket.AF_INET6: _ANY_V6}
        return [(family, address) for family, address in families.items() if _has(family, address)]
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except ValueError:  # not a name in IDNA, or a name with a NUL
        raise OSError(f"{host!r} is no name of a host") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _has(family: socket.AddressFamily, address: str) -> bool:
    """Return True if this machine has the protocol: containers often have no IPv6."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


def _bind_all(places: Sequence[Place], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, address in places:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets
