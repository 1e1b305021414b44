"""Progress of a drain: connections left, the recent rate, and the time until the node is empty.

The rate covers the last seconds, not the whole drain, so that a stalled drain is visible.
"""

from collections import deque

WINDOW_S = 6.0
"""The time over which the rate is measured. Reports come each second, so it holds six of them."""


class Progress:
    """The progress of one drain. Call `observe` with each report. `now` is monotonic."""

    def __init__(self, left: int, now: float) -> None:
        self.left = left
        self.most = left
        """The most connections that were held at one time: the size of the drain."""
        self._looks: deque[tuple[float, int]] = deque([(now, left)])

    def observe(self, left: int, now: float) -> None:
        """Record the number of connections that are left now."""
        self.left = left
        self.most = max(self.most, left)
        self._looks.append((now, left))
        while len(self._looks) > 2 and self._looks[1][0] <= now - WINDOW_S:
            self._looks.popleft()

    @property
    def gone(self) -> int:
        """The number of connections that have left."""
        return self.most - self.left

    @property
    def per_s(self) -> float:
        """The recent rate, in connections a second; 0 if no connection has left lately."""
        elapsed = self._looks[-1][0] - self._looks[0][0]
        return max(0, self._looks[0][1] - self.left) / elapsed if elapsed > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until no connection is left, at that rate; None if unknown."""
        if not self.left:
            return 0.0
        rate = self.per_s
        return self.left / rate if rate > 0 else None
