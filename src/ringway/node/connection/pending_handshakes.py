"""Pending handshakes of a node: their number, their duration, and the choice of sockets that are closed for room.

A crowd of silent sockets must be bounded before any of them has sent a request.

Overflow rule: above twice `pending_max`, or above the limit by open files, a silent socket is closed for each accepted
socket (`core.pending` chooses it). If all sockets are too new for that, there is a crowd: new sockets of the address
with the crowd are sent 503 at their accept, and linger until they have read it (`net.lingering_close`). At most
`LINGERING_MAX` linger; beyond that the socket that has lingered longest is cut.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Protocol

from ringway.core.files import FileBudget
from ringway.core.pending import Pending
from ringway.net.lingering_close import LingeringCloses
from ringway.net.turns import Turns
from ringway.node.connection.latency import Latency
from ringway.node.stats import NodeStats

ANSWERS_MAX = 8
"""Handshakes that are answered in one turn of the event loop."""

LINGERING_MAX = 4096
"""The most sockets that linger with a refusal at one time; fewer if open files are few."""

LINGER_S = 2.0
"""The time that a refused socket has to read the answer."""

_BODY = b'{"error":"too many handshakes are under way; come again later"}'
_NO_ROOM = [
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    b"Retry-After: %d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (pause_s, len(_BODY), _BODY)
    for pause_s in range(2, 12)
]
"""The answers, with different pauses, so that refused clients do not come back at one moment."""


class PendingHandshake(Hashable, Protocol):
    """A socket whose handshake is under way: a `Handshake`, and then the protocol of picows that replaces it."""

    def abort(self) -> None:
        """End the connection at once."""
        ...


class PendingHandshakes:
    """The handshakes under way. `connections` counts the open connections, `clock` is monotonic."""

    __slots__ = (
        "_answering",
        "_clock",
        "_connections",
        "_files",
        "_silent",
        "_silent_max",
        "_stats",
        "_ticks",
        "latency",
        "lingering",
        "sockets",
        "turns",
    )  # fmt: skip

    def __init__(
        self,
        pending_max: int,
        stats: NodeStats,
        clock: Callable[[], float],
        files: FileBudget,
        connections: Callable[[], int],
    ) -> None:
        self._silent: Pending[PendingHandshake] = Pending()  # no request has come yet
        self._answering: dict[PendingHandshake, float] = {}  # the request has come; the time of the socket's accept
        self._clock = clock
        self.latency = Latency(clock())  # from accepting a socket to answering 101
        self.sockets = 0  # accepted so far
        self.lingering = LingeringCloses(LINGER_S)
        self.turns = Turns(ANSWERS_MAX)
        self._silent_max = 2 * pending_max
        self._files = files
        self._connections = connections
        self._stats = stats
        self._ticks = (clock(), clock())  # the times of the last two ticks

    def __len__(self) -> int:
        return len(self._silent) + len(self._answering)

    def tick(self) -> None:
        """Let time pass; call it several times a second.

        Silence is checked as of the tick before the last: a busy process has not read since.
        """
        self._ticks = (self._ticks[1], self._clock())

    def abort(self) -> None:
        """Cut all handshakes under way, and the refused sockets that linger."""
        for handshake in (*self._silent, *self._answering):
            handshake.abort()
        self.lingering.abort()

    def on_accepted(self, handshake: PendingHandshake, address: str) -> bool:
        """Count a new socket; False if there is no room for it."""
        self.sockets += 1
        files = self._connections() + len(self.lingering)
        if len(self) >= self._files.pending_max(files, self._silent_max) and not self.make_room(address):
            self._stats.shed += 1
            return False
        self._silent.add(handshake, address, self._clock())
        return True

    def arrivals_max(self) -> int:
        """Return how many sockets may be in a TLS handshake, beside the connections that there are."""
        return self._files.pending_max(self._connections() + len(self.lingering) + len(self), self._silent_max)

    def make_room(self, newcomer: str) -> bool:
        """Close a silent socket for a socket of the address `newcomer`; return False if there was no silent socket."""
        victim = self._silent.victim(self._ticks[0], newcomer)
        if victim is None:
            return False
        self._stats.evicted += 1
        self.on_lost(victim)
        victim.abort()
        return True

    def on_request(self, handshake: PendingHandshake) -> None:
        """Count the handshake as one that is being answered: its request has come."""
        accepted_at = self._silent.remove(handshake)
        if accepted_at is not None:
            self._answering[handshake] = accepted_at

    def refuse_for_room(self, transport: asyncio.Transport) -> None:
        """Send a socket 503 with a time to come again: there is no room for it."""
        self.close_after(transport, _NO_ROOM[self._stats.shed % len(_NO_ROOM)])

    def close_after(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Send a socket its last `answer`; it is closed when it has read the answer."""
        files = self._files
        free = files.files - files.own - self._connections() - len(self)
        if len(self.lingering) >= min(LINGERING_MAX, max(files.new // 2, free)):
            self.lingering.cut_oldest()
        self.lingering.close_after(transport, answer)

    def on_replaced(self, handshake: PendingHandshake, successor: PendingHandshake) -> None:
        """Count `successor` from now on in place of `handshake`, whose socket it has."""
        accepted_at = self._answering.pop(handshake, None)
        if accepted_at is not None:
            self._answering[successor] = accepted_at

    def on_answered(self, handshake: PendingHandshake, now: float) -> None:
        """Stop counting it: it was answered with 101."""
        accepted_at = self._answering.pop(handshake, None)
        if accepted_at is not None:
            self.latency.add(now - accepted_at)

    def on_lost(self, handshake: PendingHandshake) -> None:
        """Stop counting it: its socket is closed, or was refused. Idempotent."""
        if self._answering.pop(handshake, None) is None:
            self._silent.remove(handshake)
