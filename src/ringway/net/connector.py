"""Connections by host and port: the name is looked up, and its addresses are tried beside each other (RFC 8305).

An address that does not answer must not use up the time of the other addresses. So the next address is tried beside it
after `next_address_s`, with families in turn, and all attempts begin within half of the caller's deadline: each has at
least the other half for itself. An address that did not answer or refused comes last for `avoid_s`.

If there is one address, the event loop itself connects: that is the hot path. If there are several, aiohappyeyeballs
races sockets, and the first connected socket becomes the transport.

A connection that is returned belongs to the caller; in every other case, cancellation included, nothing stays open.
"""

import asyncio
import socket
import ssl as tls
import time
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from aiohappyeyeballs import start_connection

from ringway.net.config import NamesConfig
from ringway.net.resolver import Found, Resolver, Sockaddr, addresses_of
from ringway.protocol.address import is_literal, server_hostname, show_host_port

AVOIDED_MAX = 4096
"""The number of silent addresses that are remembered; beyond this all are forgotten."""

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Connector:
    """Connects by names, which `resolver` finds. There is one for each process: `net.process`.

    `avoided` maps addresses that come last to the end of that time; connectors may share it.
    """

    def __init__(
        self,
        config: NamesConfig | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
        avoided: dict[Sockaddr, float] | None = None,
    ) -> None:
        self._config = config or NamesConfig()
        self.resolver = resolver or Resolver(self._config)
        self.avoided = {} if avoided is None else avoided
        self._clock = clock

    async def open(
        self,
        factory: Callable[[], P],
        host: str,
        port: int,
        timeout_s: float | None,
        *,
        ssl: tls.SSLContext | None = None,
        tls_name: str = "",
    ) -> tuple[asyncio.Transport, P]:
        """Return a connection to `host` with the protocol that `factory` makes, within `timeout_s`, TLS included.

        The certificate must be for `tls_name`, or for `host` if that is empty. Raise `OSError`: `TimeoutError`
        after `timeout_s`, `ssl.SSLError`, `socket.gaierror`, which names the host, or the error of the last address.
        """
        name = server_hostname(tls_name or host) if ssl is not None else None
        loop = asyncio.get_running_loop()
        if is_literal(host) and "%" not in host:
            async with asyncio.timeout(timeout_s):
                return await loop.create_connection(factory, host, port, ssl=ssl, server_hostname=name)
        begun = self._clock()
        addresses = await self._addresses(host, port, timeout_s)
        async with asyncio.timeout(None if timeout_s is None else begun + timeout_s - self._clock()):
            try:
                if len(addresses) == 1 and not _has_zone(addresses[0][1]):
                    ip = addresses[0][1][0]
                    return await loop.create_connection(factory, ip, port, ssl=ssl, server_hostname=name)
                sock = await self._race(addresses, timeout_s)
                try:
                    return await loop.create_connection(factory, sock=sock, ssl=ssl, server_hostname=name)
                except BaseException:
                    _drop(sock, secure=ssl is not None)
                    raise
            except BaseException:
                self.resolver.doubt(host)  # the host may have moved, even if a server with another certificate answers
                raise

    async def streams(
        self,
        host: str,
        port: int,
        timeout_s: float | None,
        *,
        ssl: tls.SSLContext | None = None,
        tls_name: str = "",
        limit: int = 65536,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection of `open` as streams; `limit` is the reader's."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        transport, protocol = await self.open(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), host, port, timeout_s, ssl=ssl, tls_name=tls_name
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def connect(self, host: str, port: int, timeout_s: float | None) -> socket.socket:
        """Return a connected, non-blocking socket, which the caller must close. Errors are those of `open`."""
        begun = self._clock()
        addresses = await self._addresses(host, port, timeout_s)
        try:
            async with asyncio.timeout(None if timeout_s is None else begun + timeout_s - self._clock()):
                return await self._race(addresses, timeout_s)
        except TimeoutError:
            where = show_host_port(host, port)
            raise TimeoutError(f"no TCP connection to {where} within {timeout_s:g} s") from None

    async def address(self, host: str) -> str:
        """Return the preferred IP address of `host`, for protocols other than TCP; raise `OSError`. Has no deadline."""
        return host if is_literal(host) else (await self.resolver.find(host))[0][1][0]

    async def _addresses(self, host: str, port: int, timeout_s: float | None) -> Found:
        """Return the addresses of `host` with `port`, in the order in which to try them."""
        if is_literal(host):  # also with a zone: there is no lookup
            found = addresses_of(host, socket.AI_NUMERICHOST)
        else:
            try:
                async with asyncio.timeout(timeout_s):
                    found = await self.resolver.find(host)
            except TimeoutError:
                text = f"the name {host!r} was not looked up within {timeout_s:g} s: no name server answers"
                raise socket.gaierror(socket.EAI_AGAIN, text) from None
        addresses = [(family, _with_port(address, port)) for family, address in found]
        return self.in_order(addresses) if addresses[1:] else tuple(addresses)

    def in_order(self, addresses: Sequence[tuple[socket.AddressFamily, Sockaddr]]) -> Found:
        """Return `addresses` with families in turn, beginning with the first family, and avoided addresses last."""
        first = addresses[0][0]
        families = ([each for each in addresses if (each[0] == first) is same] for same in (True, False))
        turns = [each for each in chain.from_iterable(zip_longest(*families)) if each is not None]
        now = self._clock()
        return tuple(sorted(turns, key=lambda each: self.avoided.get(each[1], 0.0) > now))

    async def _race(self, addresses: Found, timeout_s: float | None) -> socket.socket:
        """Return a socket that is connected to the first address that answers."""
        step_s = self._config.next_address_s
        if timeout_s is not None:
            step_s = min(step_s, timeout_s / 2 / len(addresses))
        begun = self._clock()
        infos = [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for family, address in addresses]
        try:
            sock = await start_connection(infos, happy_eyeballs_delay=step_s, interleave=0)
        except BaseException as error:
            if isinstance(error, RuntimeError):  # uvloop raises this for an OSError
                error = OSError(str(error))
            tried = int((self._clock() - begun) / step_s)
            self._avoid(addresses[:tried])
            raise error from None
        try:
            self._chosen(addresses, sock)
        except OSError:
            sock.close()  # it was reset in the moment in which it was accepted
            raise
        return sock

    def _chosen(self, addresses: Found, sock: socket.socket) -> None:
        peer = sock.getpeername()
        tried = [address for _, address in addresses]
        self.avoided.pop(peer, None)
        if peer in tried:
            self._avoid(addresses[: tried.index(peer)])

    def _avoid(self, addresses: Found) -> None:
        if len(self.avoided) + len(addresses) > AVOIDED_MAX:
            self.avoided.clear()
        until = self._clock() + self._config.avoid_s
        self.avoided.update((address, until) for _, address in addresses)


def _shut_down(sock: socket.socket | None) -> None:
    """End a connection under the transport that uses it: the transport sees the end and frees itself."""
    if sock is not None and sock.fileno() >= 0:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is not connected any more
            return


def _drop(sock: socket.socket, *, secure: bool) -> None:
    """Free `sock`, from which no transport could be made.

    Without TLS the transport has ended: it has closed its descriptor (uvloop, which detached `sock`), or will in the
    next turn. With TLS it may still send the closing alert, and its descriptor must not be closed under it.
    """
    if secure:
        _shut_down(sock)
    else:
        sock.close()


def _has_zone(address: Sockaddr) -> bool:
    return len(address) == 4 and address[3] != 0


def _with_port(address: Sockaddr, port: int) -> Sockaddr:
    return (address[0], port) if len(address) == 2 else (address[0], port, address[2], address[3])
