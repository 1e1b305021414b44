"""A token bucket: so much a second on average, so much at once."""


class TokenBucket:
    """Allows `rate_per_s` on average and `burst` at once; begins full. `now` is monotonic."""

    __slots__ = ("_at", "_tokens", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """Take `count` tokens, or none and return False."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate_per_s)
        self._at = now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True
