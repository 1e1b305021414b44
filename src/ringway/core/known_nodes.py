"""Known nodes: the nodes that had subscribers of a channel at the last question, remembered for a while.

Overflow rule: above `NODES_MAX` nodes, each counted for each of its channels, the channel asked longest ago is
forgotten.
"""

from ringway.types import Channel

KNOWN_S = 60.0
"""The time for which the nodes of a channel are remembered."""

NODES_MAX = 100_000

_NOBODY: frozenset[bytes] = frozenset()


class KnownNodes:
    """The known nodes of channels, each by the 4 bytes of its incarnation. Times are monotonic, in seconds."""

    __slots__ = ("_channels", "_size")

    def __init__(self) -> None:
        self._channels: dict[Channel, tuple[float, frozenset[bytes]]] = {}  # the end of the time; the oldest is first
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def of(self, channel: Channel) -> frozenset[bytes]:
        """Return the nodes that had subscribers of `channel`."""
        return self._channels.get(channel, (0.0, _NOBODY))[1]

    def set(self, channel: Channel, nodes: frozenset[bytes], now: float) -> None:
        """Remember the nodes that have subscribers of `channel` now."""
        self._forget(channel)
        if nodes:
            self._channels[channel] = now + KNOWN_S, nodes
            self._size += len(nodes)
        while self._size > NODES_MAX:
            self._forget(next(iter(self._channels)))

    def sweep(self, now: float) -> None:
        """Forget the channels whose time is over."""
        while self._channels:
            channel, (until, _) = next(iter(self._channels.items()))
            if until > now:
                return
            self._forget(channel)

    def _forget(self, channel: Channel) -> None:
        _, nodes = self._channels.pop(channel, (0.0, _NOBODY))
        self._size -= len(nodes)
