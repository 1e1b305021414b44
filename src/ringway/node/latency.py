"""How long handshakes take, as their 99th percentile over the last seconds."""

from collections import deque

KEPT = 2048
"""Measurements that are kept: in a storm of handshakes those of about a second."""

WINDOW_S = 10.0


class Latency:
    """Keeps the newest measurements. `now` is monotonic."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def add(self, began: float, now: float) -> None:
        """Count something that began at `began` and has ended."""
        self._kept.append((now, now - began))

    def p99(self, now: float) -> float:
        """What 99 of 100 did not exceed; 0 where there were none lately."""
        kept = self._kept
        while kept and kept[0][0] + WINDOW_S < now:
            kept.popleft()
        if not kept:
            return 0.0
        lengths = sorted(length for _, length in kept)
        return lengths[(99 * len(lengths) + 99) // 100 - 1]
