"""The tails that a node keeps of its channels (`core.replay_buffer`), and who holds them.

A tail of a channel with history outlives its last holder by `LINGER_S`: clients that come back in a crowd are then
served by what the first of them made the node read.

Overflow rule: at most `LINGERING_MAX` tails linger, with `LINGERING_BYTES_MAX` together; the one released longest ago
goes first. Each single one is bounded by `tail_bytes_max`.
"""

from collections.abc import Callable, Mapping

from ringway.core.replay_buffer import ReplayBuffer
from ringway.core.stream import ChannelStream
from ringway.types import Channel

LINGER_S = 5.0
LINGERING_MAX = 1024
LINGERING_BYTES_MAX = 32 * 1024 * 1024


class Hold:
    """Keeps the tail of a channel until `release`; `start` is the number of the first message since then."""

    __slots__ = ("_released", "_tails", "channel", "start", "tail")

    def __init__(self, tails: "Tails", channel: Channel, tail: ReplayBuffer) -> None:
        self._tails = tails
        self._released = False
        self.channel = channel
        self.tail = tail
        self.start = tail.end

    def release(self) -> None:
        """Need the tail no more. Idempotent."""
        if not self._released:
            self._released = True
            self._tails.released(self)


class Tails:
    """See the module. `clock` is monotonic, in seconds; `unneeded` is told of channels whose tail went."""

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        bytes_max: int,
        clock: Callable[[], float],
        unneeded: Callable[[Channel], None],
    ) -> None:
        self._streams = streams
        self._bytes_max = bytes_max
        self._clock = clock
        self._unneeded = unneeded
        self._lingering: dict[Channel, tuple[float, ReplayBuffer]] = {}  # in the order of their ends
        self._bytes = 0  # of those, as they were at the last sweep or when they came

    def hold(self, channel: Channel) -> Hold:
        """Keep what is delivered of `channel` from now on; raise `KeyError` where it is not followed."""
        stream = self._streams[channel]
        if stream.tail is None:
            stream.tail = ReplayBuffer(stream.position, self._bytes_max)
        self._take_back(channel)
        stream.tail.holders += 1
        return Hold(self, channel, stream.tail)

    def released(self, hold: Hold) -> None:
        """Take note that `hold` is needed no more."""
        tail, channel = hold.tail, hold.channel
        tail.holders -= 1
        stream = self._streams.get(channel)
        if tail.holders or stream is None or stream.tail is not tail:
            return
        if not stream.kept:
            self._drop(channel)
            return
        self._lingering[channel] = self._clock() + LINGER_S, tail
        self._bytes += tail.bytes
        self._unneeded(channel)
        while len(self._lingering) > LINGERING_MAX or (self._bytes > LINGERING_BYTES_MAX and self._lingering):
            oldest = next(iter(self._lingering))
            self._take_back(oldest)
            self._drop(oldest)

    def forget(self, channel: Channel) -> None:
        """Begin a new tail at the next `hold`: the present one is over, and its holders are told when they ask."""
        self._take_back(channel)
        stream = self._streams.get(channel)
        if stream is not None:
            stream.tail = None

    def sweep(self) -> None:
        """Let those go that have lingered long enough."""
        now = self._clock()
        while self._lingering:
            channel, (until, _) = next(iter(self._lingering.items()))
            if until > now:
                break
            del self._lingering[channel]
            self._drop(channel)
        self._bytes = sum(tail.bytes for _, tail in self._lingering.values())

    def _take_back(self, channel: Channel) -> None:
        lingering = self._lingering.pop(channel, None)
        if lingering is not None:
            self._bytes -= lingering[1].bytes

    def _drop(self, channel: Channel) -> None:
        stream = self._streams.get(channel)
        if stream is not None:
            stream.tail = None
            self._unneeded(channel)
