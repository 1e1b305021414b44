"""Outbox of a node: the bound of unsent bytes, and the clients that read too slowly (PROTOCOL.md P-6, close 3008).

The kernel accepts as many bytes as it can at once; the rest waits in the connection's transport. A check of every
transport after every send would cost as much as the send, so the transport reports when its buffer has passed a
high-water mark. Only such a connection is "slow", and only slow connections are checked. Overflow rule: a connection
with more than `outbox_bytes_max` waiting is closed with 3008. A check is late by at most `_CHECK_SHARE` of the bound,
plus one frame.
"""

import asyncio

from ringway.node.connection.subscriber import HEADROOM, TEXT, Subscriber, frame_of
from ringway.node.stats import NodeStats
from ringway.protocol.close import SLOW

_CHECK_SHARE = 16
_HIGH_WATER_BYTES_MAX = 64 * 1024


class Outbox:
    """Bounds the unsent bytes of each subscriber of a node."""

    __slots__ = ("_awaited", "_bytes_max", "_slow", "_stats", "_unchecked", "high_water_bytes")

    def __init__(self, bytes_max: int, stats: NodeStats) -> None:
        self._bytes_max = bytes_max
        self._stats = stats
        self._slow: set[Subscriber] = set()
        self._awaited: dict[Subscriber, asyncio.Event] = {}  # slow subscribers for which a caller waits
        self._unchecked = 0
        self.high_water_bytes = min(_HIGH_WATER_BYTES_MAX, bytes_max // 2)

    def send(self, subscriber: Subscriber, payload: bytes) -> None:
        """Send one text message to one subscriber."""
        subscriber.send(TEXT, frame_of(payload), HEADROOM)
        self._stats.sent_bytes += len(payload)
        if subscriber in self._slow:
            self._check(subscriber)

    def is_slow(self, subscriber: Subscriber) -> bool:
        """True if more bytes wait for `subscriber` than the high-water mark."""
        return subscriber in self._slow

    async def wait_for_room(self, subscriber: Subscriber) -> None:
        """Return when a slow subscriber has caught up, or begins to close.

        The time depends on the client; the keepalive closes a client that does not read (`node.connection.keepalive`).
        """
        await self._awaited.setdefault(subscriber, asyncio.Event()).wait()

    def on_ended(self, subscriber: Subscriber) -> None:
        """End all waits for room: the subscriber closes."""
        event = self._awaited.pop(subscriber, None)
        if event is not None:
            event.set()

    def on_written(self, size: int) -> None:
        """Count `size` bytes more that may wait for each slow subscriber."""
        if self._slow:
            self._unchecked += size
            if self._unchecked > self._bytes_max // _CHECK_SHARE:
                self.check()

    def check(self) -> None:
        """Close every slow subscriber with too many waiting bytes."""
        self._unchecked = 0
        for subscriber in list(self._slow):
            self._check(subscriber)

    def on_paused(self, subscriber: Subscriber) -> None:
        """Watch a subscriber: its buffer has passed the high-water mark."""
        self._slow.add(subscriber)
        self._stats.slow = len(self._slow)

    def on_resumed(self, subscriber: Subscriber) -> None:
        """Stop watching it: its buffer has drained, or it is gone."""
        self._slow.discard(subscriber)
        self._stats.slow = len(self._slow)
        self.on_ended(subscriber)

    def _check(self, subscriber: Subscriber) -> None:
        waiting = subscriber.waiting_bytes()
        if waiting > self._bytes_max:
            self.on_resumed(subscriber)
            subscriber.close(SLOW, f"{waiting} bytes wait to be read, at most {self._bytes_max} may")
