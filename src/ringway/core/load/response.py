"""Response time of a node: peak-sensitive moving average of handshake answers (Finagle's Peak EWMA).

A slower answer counts at once, a quicker answer gradually. Only handshakes and probes are measured, never the life of a
connection: otherwise a WebSocket of an hour would count as an answer of an hour. A failure counts as a very slow
answer.

A node with a bad average is not chosen any more, so there would be no new measurement of it. Therefore an old peak
decays with time, towards the usual time of the cluster: then the node is tried again.
"""

import math

TAU_S = 10.0
"""After this long without a sample, an old peak has lost 63 % of its height."""

FLOOR_S = 0.001
"""Answers below a millisecond are equally good: the difference is noise."""

FAILED_S = 5.0
"""The time that a failed handshake counts as."""


class Response:
    """The response time of one node as one gateway sees it. `now` is monotonic."""

    __slots__ = ("_at", "opening", "seen_s")

    def __init__(self) -> None:
        self.seen_s: float | None = None  # the moving average at the last sample; None: no sample came yet
        self.opening = 0  # handshakes under way through this gateway
        self._at = 0.0

    @property
    def known(self) -> bool:
        """True if a sample came already."""
        return self.seen_s is not None

    def age_s(self, now: float) -> float:
        """Return the time since the last sample; infinity without a sample."""
        return math.inf if self.seen_s is None else now - self._at

    def observe(self, seconds: float, now: float) -> None:
        """Record one measured time."""
        mean = self.seen_s
        if mean is None or seconds >= mean:
            self.seen_s = seconds
        else:
            keep = math.exp(-max(0.0, now - self._at) / TAU_S)
            self.seen_s = mean * keep + seconds * (1.0 - keep)
        self._at = now

    def observe_at_least(self, seconds: float, now: float) -> None:
        """Record the time of an unfinished handshake: it counts if it is longer than the known average."""
        if self.seen_s is None or seconds > self.seen_s:
            self.observe(seconds, now)

    def failed(self, now: float) -> None:
        """Record a handshake that failed."""
        self.observe(FAILED_S, now)

    def mean_s(self, usual_s: float, now: float) -> float:
        """Return the average as of `now`. An old peak sinks to `usual_s`, which is returned if there is no sample."""
        mean = self.seen_s
        if mean is None:
            mean = usual_s
        elif mean > usual_s:
            mean = usual_s + (mean - usual_s) * math.exp(-max(0.0, now - self._at) / TAU_S)
        return max(FLOOR_S, mean)
