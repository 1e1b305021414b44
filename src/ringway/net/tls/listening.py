"""Acceptance of TLS connections: each socket is looked at before TLS begins, and becomes a transport after it.

The first bytes of a connection are peeked at, so that they stay for the TLS library. A PROXY header before TLS is read
and taken out. A client that speaks plain HTTP to the port is told so. A socket that sends nothing costs no more than
its descriptor.

Bounds: as many sockets are between accept and the end of their handshake as `room` says, each for the deadline of the
settings. Overflow rule: a silent socket makes room (`core.pending` chooses it), or the new one is closed at once.
`STARTS_MAX` handshakes begin in one turn of the event loop: each computes for about a millisecond, and connections that
are open have their turns between.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any

from ringway.core.address import EXEMPT, address_of
from ringway.core.pending import Pending
from ringway.errors import UpgradeError
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.net.listening import Listening, accept_by, bind, listen
from ringway.net.tls.server import PortTls
from ringway.net.tls.subject import show_subject
from ringway.net.turns import Turns
from ringway.protocol.forwarded import Network, is_trusted
from ringway.protocol.proxy_header import ProxyHeaderReader, Source
from ringway.protocol.response import error_response
from ringway.tasks import Tasks

ACCEPTS_MAX = 64
"""Sockets that are accepted in one turn of the event loop."""

STARTS_MAX = 4
"""Handshakes that begin in one turn of the event loop."""

RETRY_S = 1.0
"""The pause of accepting after an error of the system, such as too many open files."""

LINGER_S = 2.0
"""The time of the closing alert's answer, and of a client that speaks no TLS to read that this port does."""

PLAIN_MAX = 64
"""Clients without TLS that are told so at one time; further ones are closed."""

_PEEKED = 16
"""Enough to see that TLS begins, or a PROXY header; the header itself is read as it comes."""

_HANDSHAKE = 0x16
"""The type of the record with which a TLS client begins (RFC 8446, 5.1)."""

_log = get_logger()

MakeProtocol = Callable[[Source], asyncio.BaseProtocol]
"""Makes the protocol of one connection after its handshake. Its `source` is completed by `with_subject`."""

_NO_TLS = error_response(
    UpgradeError(400, "this port speaks TLS, and the request came without; use https:// or wss://"), close=True
)


def with_subject(source: Source | None, transport: asyncio.BaseTransport) -> Source | None:
    """Return `source` with the subject of the client's verified certificate, if it has shown one to `transport`."""
    if source is None or source.subject or not (shown := transport.get_extra_info("peercert")):
        return source
    return source._replace(subject=show_subject(shown["subject"]))


class TlsArrivals:
    """The sockets of one port between their accept and the end of their TLS handshake.

    `room` returns how many may be there. PROXY headers of at most `proxy_bytes_max` are read from `trusted` peers; 0:
    none is read.
    """

    def __init__(
        self,
        tls: PortTls,
        make_protocol: MakeProtocol,
        room: Callable[[], int],
        trusted: Collection[Network] = (),
        proxy_bytes_max: int = 0,
    ) -> None:
        self.tls = tls
        self.make_protocol = make_protocol
        self.trusted = trusted
        self.proxy_bytes_max = proxy_bytes_max
        self.starts = Turns(STARTS_MAX)
        self.tasks = Tasks()
        self.lingering = LingeringCloses(LINGER_S)
        self._room = room
        self._pending: Pending[_Arrival] = Pending()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, sock: socket.socket) -> None:
        """Own `sock`, which was accepted just now. Without room, a silent socket is closed, or this one is."""
        ip = _ip_of(sock)
        trusted = is_trusted(ip, self.trusted)
        address = EXEMPT if trusted else address_of(ip)
        now = time.monotonic()
        if len(self._pending) >= self._room():
            victim = self._pending.victim(now, address)
            if victim is None:
                sock.close()
                return
            victim.end()
        arrival = _Arrival(self, sock, proxied=trusted and self.proxy_bytes_max > 0)
        self._pending.add(arrival, address, now)
        arrival.begin()

    def remove(self, arrival: "_Arrival") -> None:
        """Forget an arrival that has ended, or became a connection. Idempotent."""
        self._pending.remove(arrival)

    def tell_plain(self, transport: asyncio.Transport) -> None:
        """Tell a client that speaks HTTP that this port speaks TLS, and close the connection."""
        if len(self.lingering) >= PLAIN_MAX:
            self.lingering.cut_oldest()
        self.lingering.close_after(transport, _NO_TLS)

    def abort(self) -> None:
        """End all of them."""
        for arrival in self._pending:
            arrival.end()
        self.lingering.abort()


class _Arrival:
    """One socket, from its accept to the end of its handshake."""

    __slots__ = ("_buffer", "_loop", "_of", "_proxy", "_sock", "_source", "_task", "_timer")

    def __init__(self, of: TlsArrivals, sock: socket.socket, *, proxied: bool) -> None:
        self._of = of
        self._sock: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()
        self._proxy = ProxyHeaderReader(of.proxy_bytes_max) if proxied else None
        self._source = Source(tls=True, carried=False)
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(of.tls.handshake_deadline_s, self.end)

    def begin(self) -> None:
        """Wait for the first bytes."""
        assert self._sock is not None
        self._loop.add_reader(self._sock, self._on_bytes)

    def end(self) -> None:
        """Close the socket at once, and end the handshake under way."""
        self._leave()
        if self._task is not None:
            self._task.cancel()
        elif self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def _on_bytes(self) -> None:
        sock = self._sock
        assert sock is not None
        try:
            if self._proxy is not None and not self._read_proxy(sock, self._proxy):
                return
            first = sock.recv(_PEEKED, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, UpgradeError):
            self.end()
            return
        if first[:1] == bytes((_HANDSHAKE,)):
            self._loop.remove_reader(sock)
            self._of.starts.take(partial(self._start, self._handshake))
        elif first[:1].isalpha():
            self._loop.remove_reader(sock)
            self._start(self._tell_plain)
        else:  # the end of the stream, or no protocol of ours
            self.end()

    def _read_proxy(self, sock: socket.socket, proxy: ProxyHeaderReader) -> bool:
        """Take the bytes of the PROXY header out of the socket; return True once it is whole."""
        peeked = sock.recv(self._of.proxy_bytes_max, socket.MSG_PEEK)
        if not peeked:
            raise UpgradeError(400, "the connection ended in its PROXY header")
        source = proxy.feed(peeked)
        sock.recv(len(peeked) - len(proxy.rest if source is not None else b""))
        if source is None:
            return False
        self._source = source._replace(tls=True)
        self._proxy = None
        return True

    def _start(self, step: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> None:
        sock = self._sock
        if sock is None:  # it was closed while it waited for its turn
            return
        self._task = self._of.tasks.spawn(step(sock), name="TLS handshake")
        self._task.add_done_callback(self._on_over)

    def _on_over(self, task: asyncio.Task[None]) -> None:
        if self._sock is not None:  # cancelled before it began
            self._sock.close()
        self._leave()

    async def _handshake(self, sock: socket.socket) -> None:
        tls, self._sock = self._of.tls, None  # from here on the transport owns it
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._of.make_protocol(self._source),
                sock,
                ssl=tls.context,
                ssl_handshake_timeout=tls.handshake_deadline_s,
                ssl_shutdown_timeout=LINGER_S,
            )
        except OSError as error:  # an alert, no common version, no certificate, the deadline: the client's affair
            _log.debug("a TLS handshake failed", why=str(error))

    async def _tell_plain(self, sock: socket.socket) -> None:
        self._sock = None
        try:
            transport, _ = await self._loop.connect_accepted_socket(asyncio.Protocol, sock)
        except OSError:
            sock.close()
        else:
            self._of.tell_plain(transport)

    def _leave(self) -> None:
        self._timer.cancel()
        self._of.remove(self)


class TlsAcceptor:
    """A listening socket whose connections begin with TLS; stands for an `asyncio.Server` in `net.listening`."""

    def __init__(self, sock: socket.socket, backlog: int, arrivals: TlsArrivals) -> None:
        self._sock = sock
        self._arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        sock.listen(backlog)
        self._loop.add_reader(sock, self._accept)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The socket; nothing after `close`."""
        return () if self._closed else (self._sock,)

    def close(self) -> None:
        """Stop accepting. Connections stay open; sockets whose handshake is under way are closed. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._arrivals.abort()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno != errno.ECONNABORTED:
                    self._pause(error)
                return
            sock.setblocking(False)
            self._arrivals.add(sock)

    def _pause(self, error: OSError) -> None:
        _log.warning("connections cannot be accepted for a moment", why=error.strerror)
        self._loop.remove_reader(self._sock)
        self._retry = self._loop.call_later(RETRY_S, self._loop.add_reader, self._sock, self._accept)


async def listen_for(
    tls: PortTls | None,
    make_protocol: Callable[[Source | None], asyncio.BaseProtocol],
    host: str,
    port: int,
    backlog: int,
    prepare: Callable[[socket.socket], None] | None = None,
    *,
    room: Callable[[], int],
    trusted: Collection[Network] = (),
    proxy_bytes_max: int = 0,
) -> Listening:
    """Accept connections as `net.listening.listen` does, and with `tls` as `TlsArrivals` says.

    `make_protocol` gets the source of a connection whose TLS this server speaks; None without TLS.
    """
    if tls is None:
        return await listen(lambda: make_protocol(None), host, port, backlog, prepare)
    arrivals = TlsArrivals(tls, make_protocol, room, trusted, proxy_bytes_max)
    return accept_by(lambda sock: TlsAcceptor(sock, backlog, arrivals), bind(host, port), prepare)


def _ip_of(sock: socket.socket) -> str:
    try:
        peer = sock.getpeername()
    except OSError:
        return ""
    return str(peer[0]) if isinstance(peer, tuple) else ""
