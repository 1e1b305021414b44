"""What waits to be sent, and who reads too slowly (PROTOCOL.md P-6, close 3008).

The kernel takes what it can at once; the rest waits in the connection's transport. Asking every transport after every
send would cost as much as a send, so the transport says when its buffer has passed a high-water mark: only such a
connection is "slow", and only slow ones are asked. Overflow rule: a connection with more than `outbox_bytes_max`
waiting is closed with 3008. What is measured is at most `_CHECK_SHARE` of the bound old, plus one frame.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from picows import WSMsgType

from ringway.protocol.close import SLOW

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.stats import Stats

Send = Callable[[WSMsgType, bytearray, int], None]
"""picows' `send_reuse_external_bytearray`: writes the header into the bytes before the payload, and copies nothing."""

TEXT = cast(WSMsgType, 1)  # an int where picows says enum: it converts either, this one faster

HEADROOM = 14
"""Bytes before a payload in which picows writes the frame's header."""

_CHECK_SHARE = 16
_HIGH_WATER_BYTES_MAX = 64 * 1024


def frame_of(payload: bytes) -> bytearray:
    """Return `payload` with headroom, as `Send` takes it; may be sent to any number of connections."""
    frame = bytearray(HEADROOM)
    frame += payload
    return frame


class Outbox:
    """Bounds what waits for each connection of a node."""

    __slots__ = ("_awaited", "_bytes_max", "_slow", "_stats", "_unchecked", "high_water_bytes")

    def __init__(self, bytes_max: int, stats: "Stats") -> None:
        self._bytes_max = bytes_max
        self._stats = stats
        self._slow: set[Connection] = set()
        self._awaited: dict[Connection, asyncio.Event] = {}  # slow ones that somebody wants to send more to
        self._unchecked = 0
        self.high_water_bytes = min(_HIGH_WATER_BYTES_MAX, bytes_max // 2)

    def send(self, connection: "Connection", payload: bytes) -> None:
        """Send one text message to one connection."""
        connection.send(TEXT, frame_of(payload), HEADROOM)
        self._stats.sent_bytes += len(payload)
        if connection in self._slow:
            self._check(connection)

    async def room(self, connection: "Connection") -> None:
        """Return when no more waits for `connection` than its high-water mark, or when it begins to close.

        The client decides when that is; the keepalive closes it where it takes nothing (`node.connection.keepalive`).
        """
        while connection in self._slow and connection.is_usable:
            event = self._awaited.setdefault(connection, asyncio.Event())
            await event.wait()

    def awake(self, connection: "Connection") -> None:
        """Let those who wait for room look again."""
        event = self._awaited.pop(connection, None)
        if event is not None:
            event.set()

    def written(self, size: int) -> None:
        """Take note that slow connections may each have `size` bytes more to wait for."""
        if self._slow:
            self._unchecked += size
            if self._unchecked > self._bytes_max // _CHECK_SHARE:
                self.check()

    def check(self) -> None:
        """Close every slow connection for which too much waits."""
        self._unchecked = 0
        for connection in list(self._slow):
            self._check(connection)

    def paused(self, connection: "Connection") -> None:
        """Watch a connection: its buffer has passed the high-water mark."""
        self._slow.add(connection)
        self._stats.slow = len(self._slow)

    def resumed(self, connection: "Connection") -> None:
        """Watch it no more: its buffer has drained, or it is gone."""
        self._slow.discard(connection)
        self._stats.slow = len(self._slow)
        self.awake(connection)

    def _check(self, connection: "Connection") -> None:
        waiting = connection.waiting_bytes()
        if waiting > self._bytes_max:
            self.resumed(connection)
            connection.close(SLOW, f"{waiting} bytes wait to be read, at most {self._bytes_max} may")
