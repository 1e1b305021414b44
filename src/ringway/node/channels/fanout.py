"""Fan-out from the engine to the subscribers: the hot path of a node.

A publication that follows its predecessor is passed on. The channel's stream (`core.stream`) and history decide about
all other publications. Publications of one loop turn are gathered and sent together when the turn ends: one text frame
for each subscriber, one push a line, encoded once and shared. If several channels had publications in the turn, a
subscriber of several of them still gets one frame; frames are shared between subscribers of the same channels. Joins
and leaves go to the subscribers that asked for them, in the same way, in separate frames.

Order: messages of one channel arrive at every subscriber in the order of their delivery.
Overflow rule: gathered messages are bounded by `turn_bytes_max`; above it they are sent before the turn ends.
"""

import asyncio
from collections.abc import Callable, Mapping

from ringway.core.hub import Hub
from ringway.core.replay_buffer import ReplayEntry
from ringway.core.stream import ChannelStream, StreamVerdict
from ringway.logger import get_logger
from ringway.node.config.node import NodeConfig
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import HEADROOM, TEXT, Send, Subscriber, frame_of
from ringway.node.stats import NodeStats
from ringway.protocol.codec import encode_push, encode_pushes
from ringway.protocol.envelope import KIND_AT, ORIGIN, PUBLICATION, SEQ, body_of, is_sound
from ringway.types import Channel

_log = get_logger()


class Fanout:
    """Delivers messages to the subscribers of their channels; `deliver` is given to the engine.

    `watchers` are the subscribers that receive joins and leaves. `on_gap` is called with a channel whose history must
    be read before the next delivery, `on_heard` when the replay buffer of a channel got a message without an offset.
    """

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_held_bytes_max",
        "_hub",
        "_notes",
        "_on_gap",
        "_on_heard",
        "_outbox",
        "_scheduled",
        "_stats",
        "_streams",
        "_turn",
        "_watchers",
        "on_note",
    )

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        hub: Hub[Subscriber, Send],
        watchers: Hub[Subscriber, Send],
        outbox: Outbox,
        config: NodeConfig,
        stats: NodeStats,
        on_gap: Callable[[Channel], object],
        on_heard: Callable[[Channel], None],
    ) -> None:
        self._streams = streams
        self._hub = hub
        self._watchers = watchers
        self._outbox = outbox
        self._stats = stats
        self._bytes_max = config.turn_bytes_max
        self._held_bytes_max = config.tail_bytes_max
        self._on_gap = on_gap
        self._on_heard = on_heard
        self._turn: dict[Channel, list[bytes]] = {}
        self._notes: dict[Channel, list[bytes]] = {}
        self._bytes = 0
        self._scheduled = False
        self.on_note: Callable[[Channel, bytes], None] = _ignore_note
        """Called with the channel of each join or leave, and with the node that published it (`Origin.node`)."""

    def deliver(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        """Deliver one message of the engine (`ports.Deliver`)."""
        stream = self._streams.get(channel)
        if stream is None:
            return
        if offset:
            if offset > stream.position and stream.is_repeated(payload[ORIGIN], payload[SEQ]):
                self._stats.repeated += 1
                return
            if previous == stream.expected:
                stream.position = stream.expected = offset  # `ChannelStream.follow`, without the call
            else:
                verdict = stream.take_publication(offset, previous, payload, self._held_bytes_max)
                if verdict is not StreamVerdict.DELIVER:
                    if verdict is StreamVerdict.HELD:
                        self._on_gap(channel)
                    return
        self.send(channel, stream, payload, offset)

    def send(self, channel: Channel, stream: ChannelStream, payload: bytes, offset: int) -> None:
        """Gather one message that is delivered now."""
        if not is_sound(payload):  # it would break the frame for all messages in it
            self._stats.malformed += bool(payload)  # an empty one stands for a publication that was not believed
            return
        kind, origin, seq = payload[KIND_AT], payload[ORIGIN], payload[SEQ]
        if stream.kept and kind == PUBLICATION and stream.is_repeated(origin, seq):
            self._stats.repeated += 1
            return
        if offset:
            stream.tell(origin, seq)
        else:
            stream.hear(origin, seq)
        body = body_of(payload, offset)
        if stream.buffer is not None:
            stream.buffer.add(ReplayEntry(offset, origin, seq, kind, body))
            if not offset:
                self._on_heard(channel)
        if kind == PUBLICATION:
            if channel not in self._hub:
                return
            self._stats.publications += 1
            gathering, other = self._turn, self._notes
        else:
            self.on_note(channel, origin)
            if channel not in self._watchers:
                return
            gathering, other = self._notes, self._turn
            body = encode_push(channel, kind, body)
        if other and channel in other:
            self.flush()  # publications and joins in their order, although their subscribers differ
            gathering = self._turn if kind == PUBLICATION else self._notes
        gathered = gathering.get(channel)
        if gathered is None:
            gathering[channel] = [body]
        else:
            gathered.append(body)
        self._bytes += len(body)
        if self._bytes > self._bytes_max:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn_ended)

    def flush_channel(self, channel: Channel) -> None:
        """Send the gathered messages of `channel`, before a subscriber joins or leaves."""
        if channel in self._turn or channel in self._notes:
            self.flush()

    def flush(self) -> None:
        """Send the gathered messages."""
        turn, self._turn = self._turn, {}
        notes, self._notes = self._notes, {}
        size, self._bytes = self._bytes, 0
        if len(turn) == 1:
            for channel, publications in turn.items():
                self._send_all(self._hub, channel, encode_pushes(channel, publications), len(publications))
        elif turn:
            self._send_channels(turn)
        for channel, pushes in notes.items():
            self._send_all(self._watchers, channel, b"\n".join(pushes), len(pushes))
        self._outbox.on_written(size)

    def _turn_ended(self) -> None:
        self._scheduled = False
        self.flush()

    def _send_all(self, hub: Hub[Subscriber, Send], channel: Channel, message: bytes, pushes: int) -> None:
        subscribers = hub.subscribers(channel)
        if subscribers is None:
            return
        frame = frame_of(message)
        sends = [send for _, send in subscribers]
        self._count(len(sends), pushes, len(message))
        walk = iter(sends)
        while True:
            try:
                for send in walk:
                    send(TEXT, frame, HEADROOM)
            except Exception:
                _log.exception("a delivery failed")  # that connection's fault: the rest gets its messages
            else:
                return

    def _send_channels(self, turn: dict[Channel, list[bytes]]) -> None:
        """Send one frame to each subscriber of any of these channels."""
        messages: dict[Subscriber, bytes] = {}
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

    def _count(self, subscribers: int, pushes: int, message_bytes: int) -> None:
        self._stats.deliveries += subscribers * pushes
        self._stats.writes += subscribers
        self._stats.sent_bytes += subscribers * message_bytes


def _ignore_note(channel: Channel, node: bytes) -> None:
    """Stand in until a listener for joins and leaves is attached."""
