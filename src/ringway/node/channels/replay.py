"""Replay buffers of a node: the newest messages of its channels (`core.replay_buffer`), and the leases on them.

The buffer of a channel with history outlives its last lease by `LINGER_S`: so the read for the first client of a
returning crowd serves the whole crowd.

Overflow rule: at most `LINGERING_MAX` buffers linger, with `LINGERING_BYTES_MAX` together; the buffer that was released
first is dropped first. Each buffer is bounded by `tail_bytes_max`.
"""

from collections.abc import Callable, Mapping

from ringway.core.replay_buffer import ReplayBuffer
from ringway.core.stream import ChannelStream
from ringway.types import Channel

LINGER_S = 5.0
LINGERING_MAX = 1024
LINGERING_BYTES_MAX = 32 * 1024 * 1024


class ReplayLease:
    """A hold on the buffer of a channel until `release`; `start` is the number of the lease's first message."""

    __slots__ = ("_buffers", "_released", "buffer", "channel", "start")

    def __init__(self, buffers: "ReplayBuffers", channel: Channel, buffer: ReplayBuffer) -> None:
        self._buffers = buffers
        self._released = False
        self.channel = channel
        self.buffer = buffer
        self.start = buffer.next_number

    def release(self) -> None:
        """End the hold. Idempotent."""
        if not self._released:
            self._released = True
            self._buffers.on_released(self)


class ReplayBuffers:
    """The buffers of the `streams`, whose `buffer` they are. `clock` is monotonic, in seconds.

    `on_dropped` is called with each channel whose buffer is not needed any more.
    """

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        bytes_max: int,
        clock: Callable[[], float],
        on_dropped: Callable[[Channel], None],
    ) -> None:
        self._streams = streams
        self._bytes_max = bytes_max
        self._clock = clock
        self._on_dropped = on_dropped
        self._lingering: dict[Channel, tuple[float, ReplayBuffer]] = {}  # in the order of their ends
        self._bytes = 0  # of the lingering buffers, as of the last sweep or of their release

    def lease(self, channel: Channel) -> ReplayLease:
        """Store the messages of `channel` from now on. Raise `KeyError` if the channel is not followed."""
        stream = self._streams[channel]
        if stream.buffer is None:
            stream.buffer = ReplayBuffer(stream.position, self._bytes_max)
        self._end_linger(channel)
        stream.buffer.holders += 1
        return ReplayLease(self, channel, stream.buffer)

    def on_released(self, lease: ReplayLease) -> None:
        """Count a lease that has ended."""
        buffer, channel = lease.buffer, lease.channel
        buffer.holders -= 1
        stream = self._streams.get(channel)
        if buffer.holders or stream is None or stream.buffer is not buffer:
            return
        if not stream.kept:
            self._drop(channel)
            return
        self._lingering[channel] = self._clock() + LINGER_S, buffer
        self._bytes += buffer.bytes
        self._on_dropped(channel)
        while len(self._lingering) > LINGERING_MAX or (self._bytes > LINGERING_BYTES_MAX and self._lingering):
            oldest = next(iter(self._lingering))
            self._end_linger(oldest)
            self._drop(oldest)

    def forget(self, channel: Channel) -> None:
        """Begin a new buffer at the next `lease`; leases on the present buffer become invalid."""
        self._end_linger(channel)
        stream = self._streams.get(channel)
        if stream is not None:
            stream.buffer = None

    def sweep(self) -> None:
        """Drop the buffers that have lingered for `LINGER_S`."""
        now = self._clock()
        while self._lingering:
            channel, (until, _) = next(iter(self._lingering.items()))
            if until > now:
                break
            del self._lingering[channel]
            self._drop(channel)
        self._bytes = sum(buffer.bytes for _, buffer in self._lingering.values())

    def _end_linger(self, channel: Channel) -> None:
        lingering = self._lingering.pop(channel, None)
        if lingering is not None:
            self._bytes -= lingering[1].bytes

    def _drop(self, channel: Channel) -> None:
        stream = self._streams.get(channel)
        if stream is not None:
            stream.buffer = None
            self._on_dropped(channel)
