"""From the engine to the subscribers: the hot path of a node (DESIGN.md 11).

Publications of one loop turn are gathered and leave together when the turn ends: one text frame for each subscriber,
one push a line, encoded once and shared. Where several channels had publications in the turn, a subscriber of several
of them still gets one frame; frames are shared between subscribers of the same channels.

Order: publications of one channel arrive at every subscriber in the order in which the engine delivered them.
Overflow rule: what is gathered is bounded by `turn_bytes_max`; then it is sent before the turn ends.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from ringway.node.outbox import HEADROOM, TEXT, frame_of
from ringway.protocol.codec import encode_pushes
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.core.hub import Hub
    from ringway.node.connection import Connection
    from ringway.node.outbox import Outbox, Send
    from ringway.node.stats import Stats

_log = structlog.get_logger()


class Fanout:
    """Delivers publications to the subscribers of their channels; `deliver` is given to the engine."""

    __slots__ = ("_bytes", "_bytes_max", "_hub", "_loop", "_outbox", "_scheduled", "_stats", "_turn")

    def __init__(self, hub: "Hub[Connection, Send]", outbox: "Outbox", stats: "Stats", turn_bytes_max: int) -> None:
        self._hub = hub
        self._outbox = outbox
        self._stats = stats
        self._bytes_max = turn_bytes_max
        self._loop = asyncio.get_running_loop()
        self._turn: dict[Channel, list[bytes]] = {}
        self._bytes = 0
        self._scheduled = False

    def deliver(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        """Take one encoded publication from the engine (`ports.Deliver`)."""
        if channel not in self._hub:
            return
        if b"\n" in payload or not payload.startswith(b"{"):  # would break the framing of everything around it
            self._stats.malformed += 1
            return
        self._stats.publications += 1
        gathered = self._turn.get(channel)
        if gathered is None:
            self._turn[channel] = [payload]
        else:
            gathered.append(payload)
        self._bytes += len(payload)
        if self._bytes > self._bytes_max:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn_ended)

    def flush(self) -> None:
        """Send what was gathered."""
        turn, self._turn = self._turn, {}
        size, self._bytes = self._bytes, 0
        if len(turn) == 1:
            for channel, publications in turn.items():
                self._send_channel(channel, publications)
        elif turn:
            self._send_channels(turn)
        self._outbox.written(size)

    def _turn_ended(self) -> None:
        self._scheduled = False
        self.flush()

    def _send_channel(self, channel: Channel, publications: list[bytes]) -> None:
        subscribers = self._hub.subscribers(channel)
        if subscribers is None:
            return
        frame = frame_of(encode_pushes(channel, publications))
        sends = [send for _, send in subscribers]
        self._count(len(sends), len(publications), len(frame) - HEADROOM)
        walk = iter(sends)
        while True:
            try:
                for send in walk:
                    send(TEXT, frame, HEADROOM)
            except Exception:
                _log.exception("a delivery failed")  # that connection's fault: the walk goes on behind it
            else:
                return

    def _send_channels(self, turn: dict[Channel, list[bytes]]) -> None:
        """Send to each subscriber once, whatever number of these channels it has."""
        messages: dict[Connection, bytes] = {}
        joined: dict[tuple[bytes, bytes], bytes] = {}
        for channel, publications in turn.items():
            subscribers = self._hub.subscribers(channel)
            if subscribers is None:
                continue
            message = encode_pushes(channel, publications)
            self._count(len(subscribers), len(publications), len(message))
            for who, _ in subscribers:
                earlier = messages.get(who)
                if earlier is None:
                    messages[who] = message
                    continue
                both = joined.get((earlier, message))
                if both is None:
                    both = joined[earlier, message] = earlier + b"\n" + message
                messages[who] = both
                self._stats.writes -= 1
        frames: dict[bytes, bytearray] = {}
        for who, message in messages.items():
            frame = frames.get(message)
            if frame is None:
                frame = frames[message] = frame_of(message)
            try:
                who.send(TEXT, frame, HEADROOM)
            except Exception:
                _log.exception("a delivery failed")

    def _count(self, subscribers: int, publications: int, message_bytes: int) -> None:
        self._stats.deliveries += subscribers * publications
        self._stats.writes += subscribers
        self._stats.sent_bytes += subscribers * message_bytes
