"""Latency of handshakes, as the 99th percentile over the last seconds.

A histogram in which each bucket reaches 9 % further than the bucket before: small at any rate, and exact to 9 %. There
are two histograms, the present and the previous, so that the percentile covers the last 5 to 10 seconds.
"""

from itertools import accumulate
from math import log2

HALF_WINDOW_S = 5.0

_SHORTEST_S = 1e-5
_PER_OCTAVE = 8
_BUCKETS = 25 * _PER_OCTAVE  # to 335 s, above the longest deadline


class Latency:
    """Counts lengths of time. `now` is monotonic."""

    __slots__ = ("_before", "_counts", "_turned_at")

    def __init__(self, now: float) -> None:
        self._counts = [0] * _BUCKETS
        self._before = [0] * _BUCKETS
        self._turned_at = now

    def add(self, length_s: float) -> None:
        """Count a handshake of the length `length_s`."""
        bucket = int(log2(length_s / _SHORTEST_S) * _PER_OCTAVE) + 1 if length_s > _SHORTEST_S else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1

    @property
    def count(self) -> int:
        """The number of handshakes that were counted lately."""
        return sum(self._counts) + sum(self._before)

    def p99(self, now: float) -> float:
        """Return the 99th percentile; 0 without recent handshakes. Call it at least every few seconds."""
        self._turn(now)
        sums = list(accumulate(map(int.__add__, self._before, self._counts)))
        if not sums[-1]:
            return 0.0
        rank = (99 * sums[-1] + 99) // 100
        bucket = next(index for index, sum_ in enumerate(sums) if sum_ >= rank)
        return float(_SHORTEST_S * 2 ** (bucket / _PER_OCTAVE))

    def _turn(self, now: float) -> None:
        passed = now - self._turned_at
        if passed >= HALF_WINDOW_S:
            self._before = self._counts if passed < 2 * HALF_WINDOW_S else [0] * _BUCKETS
            self._counts = [0] * _BUCKETS
            self._turned_at = now
