"""Rates: so much a second on average, so much at once. Of one client by a token bucket, of many addresses by a table.

The table holds one number for each address: until when what it took is still being paid off (the generic cell rate
algorithm; its backlog is that time less now). Whoever has paid all off has no entry. Above the maximum, the entry that
was used longest ago goes, so an address that goes on and on keeps its own.
"""

ADDRESSES_MAX = 65_536
"""Some 10 MiB at most, and only while so many take at one time."""

_SWEEP = 2
"""Entries that are looked at for each one that is added: enough to forget faster than is remembered."""


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
        self._refill(now)
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def take_some(self, now: float, count: int) -> int:
        """Take as many whole tokens as there are, `count` at most; return how many."""
        self._refill(now)
        taken = min(count, max(0, int(self._tokens)))
        self._tokens -= taken
        return taken

    def charge(self, now: float, count: float) -> None:
        """Take `count` tokens for what is done already, also those that are not there yet."""
        self._refill(now)
        self._tokens -= count

    def debt_s(self, now: float) -> float:
        """How long it is until all that was charged is paid, in seconds; 0 where it is."""
        self._refill(now)
        return max(0.0, -self._tokens / self.rate_per_s)

    def _refill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate_per_s)
        self._at = now


class AddressRates:
    """What each address has taken of late, in seconds of its rate. `now` is monotonic."""

    __slots__ = ("_paid_at", "_size_max")

    def __init__(self, size_max: int = ADDRESSES_MAX) -> None:
        self._paid_at: dict[str, float] = {}  # least recently used first
        self._size_max = size_max

    def __len__(self) -> int:
        return len(self._paid_at)

    def backlog_s(self, address: str, now: float) -> float:
        """How many seconds of its rate `address` is ahead."""
        return max(0.0, self._paid_at.get(address, now) - now)

    def take(self, address: str, now: float, interval_s: float, burst_s: float) -> float:
        """Take one, which is worth `interval_s`; or return in how many seconds that can be had: above 0.

        The backlog after it is at most `burst_s`, or `interval_s` if that is more.
        """
        paid_at = max(now, self._paid_at.get(address, now)) + interval_s
        wait_s = paid_at - now - max(burst_s, interval_s)
        if wait_s > 1e-9:
            return wait_s
        self._paid_at.pop(address, None)
        self._paid_at[address] = paid_at
        self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        for _ in range(_SWEEP):
            oldest = next(iter(self._paid_at))
            if self._paid_at[oldest] > now and len(self._paid_at) <= self._size_max:
                return
            del self._paid_at[oldest]
            if not self._paid_at:
                return
