"""Accepting sockets, counting those whose handshake is under way, and timing it.

A crowd of silent sockets must be bounded before any of them has sent a request. So each begins as a `Handshake`, which
the gate counts, and becomes one of picows when its request was admitted. Constructing picows' protocol by keyword is
the one place that knows more of it than its documented API (2.3), and does what `ws_create_server` does.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from picows import WSUpgradeRequest, WSUpgradeResponseWithListener

from ringway.core.files import FileBudget
from ringway.core.pending import Pending
from ringway.framing import FramingProtocol
from ringway.net import listening
from ringway.net.lingering_close import LingeringCloses
from ringway.net.unsent import bound_unsent
from ringway.node.connection.handshake import Handshake, Welcome
from ringway.node.connection.latency import Latency
from ringway.protocol.forwarded import read_networks

if TYPE_CHECKING:
    from ringway.node.config.node import NodeConfig
    from ringway.node.stats import NodeStats

READ_BUFFER_BYTES = 2048
"""picows' minimum; it grows with what comes, and most clients send little."""

LINGERING_MAX = 4096
"""Sockets that are being told at one time why they are refused; fewer where open files are few."""

LINGER_S = 2.0
"""How long one of them may take to hear it."""

_BODY = b'{"error":"too many handshakes are under way; come again later"}'
_NO_ROOM = [
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    b"Retry-After: %d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (pause_s, len(_BODY), _BODY)
    for pause_s in range(2, 12)
]
"""With different pauses, so that those who are told do not come back at one moment."""


class Gate:
    """Counts the sockets whose handshake is under way, and makes room for those that come new.

    Overflow rule: above twice `pending_max`, or above what open files allow, a socket that has said nothing is closed
    for each that is accepted (`core.pending` says which). Where none has had the time to, there is a crowd: those of
    the address that makes it are told 503 as they are accepted, and closed by `net.lingering_close`.
    Of these there are only so many; for want of room the one is cut that was told first.
    """

    __slots__ = (
        "_answering",
        "_clock",
        "_files",
        "_opening",
        "_opening_max",
        "_stats",
        "_staying",
        "_ticks",
        "latency",
        "lingering",
        "opened",
    )  # fmt: skip

    def __init__(
        self,
        pending_max: int,
        stats: "NodeStats",
        clock: Callable[[], float],
        files: FileBudget,
        staying: Callable[[], int],
    ) -> None:
        self._opening: Pending[Handshake] = Pending()
        self._answering: dict[_Opening, float] = {}  # whose request has come, and since when each was here
        self._clock = clock
        self.latency = Latency(clock())  # from accepting a socket to answering 101
        self.opened = 0  # sockets so far
        self.lingering = LingeringCloses(LINGER_S)
        self._opening_max = 2 * pending_max
        self._files = files
        self._staying = staying
        self._stats = stats
        self._ticks = (clock(), clock())  # when the last two were

    def tick(self) -> None:
        """Let time pass; call it several times a second.

        Who is silent is judged as of the tick before the last: a process that was busy has not listened since.
        """
        self._ticks = (self._ticks[1], self._clock())

    def close(self) -> None:
        """Cut all handshakes that are under way, and who is being told that there is no room."""
        for protocol in (*self._opening, *self._answering):
            protocol.abort()
        self.lingering.abort()

    @property
    def opening(self) -> int:
        """How many handshakes are under way."""
        return len(self._opening) + len(self._answering)

    def accepted(self, handshake: Handshake, address: str) -> bool:
        """Count a new socket; False where there is no room for it."""
        self.opened += 1
        files = self._staying() + len(self.lingering)
        if self.opening >= self._files.pending_max(files, self._opening_max) and not self.make_room(address):
            self._stats.shed += 1
            return False
        self._opening.add(handshake, address, self._clock())
        return True

    def make_room(self, newcomer: str) -> bool:
        """Close a socket that has said nothing, for one of the address `newcomer`; return whether there was one."""
        victim = self._opening.victim(self._ticks[0], newcomer)
        if victim is None:
            return False
        self._stats.evicted += 1
        self.lost(victim)
        victim.abort()
        return True

    def heard(self, handshake: Handshake) -> None:
        """Take note that its request has come: it is no silent one any more."""
        began = self._opening.remove(handshake)
        if began is not None:
            self._answering[handshake] = began

    def turn_away(self, transport: asyncio.Transport) -> None:
        """Tell a socket for which there is no room to come again."""
        self.refuse(transport, _NO_ROOM[self._stats.shed % len(_NO_ROOM)])

    def refuse(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Send a socket its last `answer`; it is closed when it has heard it."""
        files = self._files
        free = files.files - files.own - self._staying() - self.opening
        if len(self.lingering) >= min(LINGERING_MAX, max(files.new // 2, free)):
            self.lingering.cut_oldest()
        self.lingering.close_after(transport, answer)

    def handed_over(self, handshake: Handshake, protocol: FramingProtocol) -> None:
        """Count `protocol` from now on in place of `handshake`, whose connection it takes over."""
        began = self._answering.pop(handshake, None)
        if began is not None:
            self._answering[protocol] = began

    def answered(self, protocol: FramingProtocol, now: float) -> None:
        """Count it no more: its handshake was answered with 101."""
        began = self._answering.pop(protocol, None)
        if began is not None:
            self.latency.add(now - began)

    def lost(self, protocol: "_Opening") -> None:
        """Count it no more: its socket is closed, whatever became of the handshake."""
        if self._answering.pop(protocol, None) is None and isinstance(protocol, Handshake):
            self._opening.remove(protocol)


_Opening: TypeAlias = Handshake | FramingProtocol


class _Protocol(FramingProtocol):
    """picows' protocol, which tells the gate of its end."""

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate, answer: Callable[..., Any], **settings: Any) -> None:
        super().__init__(answer, **settings)
        self._gate = gate

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.lost(self)
        super().connection_lost(exc)


async def listen(config: "NodeConfig", gate: Gate, welcome: Welcome) -> listening.Listening:
    """Listen on the node's port; `welcome` judges each request. Raise `OSError` where the port is not to be had."""

    def take_over(answer: Callable[[WSUpgradeRequest], WSUpgradeResponseWithListener]) -> _Protocol:
        return _Protocol(
            gate,
            answer,
            is_client_side=False,
            message_bytes_max=config.message_bytes_max,
            read_buffer_bytes=READ_BUFFER_BYTES,
        )

    trusted = read_networks(config.trusted_proxies)

    def prepare(sock: socket.socket) -> None:  # what is accepted has the same
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, config.receive_buffer_bytes)
        bound_unsent(sock, config.unsent_bytes_max)

    return await listening.listen(
        lambda: Handshake(config, gate, welcome, take_over, trusted), config.host, config.port, config.backlog, prepare
    )
