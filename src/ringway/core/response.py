"""How quickly a node answers: peak-sensitive moving average of times to a handshake's answer (Finagle's Peak EWMA).

A slower answer counts at once, a quicker one by and by. Only handshakes and probes are measured, never the life of a
connection: whoever times the whole exchange takes a WebSocket of an hour for an answer of an hour.
"""

import math

TAU_S = 10.0
"""After this long without a sample, an old peak has lost 63 % of its height."""

FLOOR_S = 0.001
"""Answers below a millisecond are equally good: the difference is noise."""

FAILED_S = 5.0
"""What a handshake counts that failed."""


class Response:
    """The response time of one node as one gateway sees it. `now` is monotonic."""

    __slots__ = ("_at", "_mean_s", "opening")

    def __init__(self) -> None:
        self._mean_s: float | None = None
        self._at = 0.0
        self.opening = 0  # handshakes under way through this gateway

    @property
    def known(self) -> bool:
        """Whether anything was measured yet."""
        return self._mean_s is not None

    def age_s(self, now: float) -> float:
        """Return how long ago a time was measured last; infinity where none was."""
        return math.inf if self._mean_s is None else now - self._at

    def observe(self, seconds: float, now: float) -> None:
        """Take one measured time."""
        mean = self._mean_s
        if mean is None or seconds >= mean:
            self._mean_s = seconds
        else:
            keep = math.exp(-max(0.0, now - self._at) / TAU_S)
            self._mean_s = mean * keep + seconds * (1.0 - keep)
        self._at = now

    def observe_at_least(self, seconds: float, now: float) -> None:
        """Take a time that was not waited for to its end: it counts where it is longer than what is known."""
        if self._mean_s is None or seconds > self._mean_s:
            self.observe(seconds, now)

    def mean_s(self, unknown_s: float) -> float:
        """Return the moving average; `unknown_s` where nothing was measured."""
        return max(FLOOR_S, unknown_s if self._mean_s is None else self._mean_s)
