"""Rate limits by the generic cell rate algorithm (ITU-T I.371): an average rate, and a burst.

Theory. One number describes a limit: `paid_at`, the time at which all units taken so far are paid off at the rate. A
unit costs the time `1 / rate`. The **backlog** is `paid_at - now`, or 0 if that time is past. A limit of `burst_s`
admits units while the backlog with them is at most `burst_s`; so in any t seconds at most `rate (t + burst_s)` units
are admitted. A token bucket of `burst` tokens is the same limit with `burst_s = burst / rate`: its tokens are `burst -
rate * backlog`.

The three functions are the algorithm. `TokenBucket` applies it to one client, `AddressRates` to many addresses,
`core.handshake_limiter` to the handshakes of a node, and `core.admission_slots` to a queue that exists in numbers only.
Every `now` is monotonic.
"""

from math import inf

ADDRESSES_MAX = 65_536
"""Bound of the table of addresses: some 10 MiB, and only while so many addresses take units at one time."""

ROUNDING_S = 1e-7
"""Tolerance of comparisons: the difference of two times that are days long has an error of nanoseconds."""

_SWEEP = 2
"""Entries that are checked for each entry that is added: two, so that the table shrinks faster than it grows."""


def backlog_s(paid_at: float, now: float) -> float:
    """Return the seconds of the rate that are taken and not paid off."""
    return paid_at - now if paid_at > now else 0.0


def charge(paid_at: float, now: float, cost_s: float) -> float:
    """Return the new `paid_at` after units that cost `cost_s` were taken."""
    return (paid_at if paid_at > now else now) + cost_s


def excess_s(paid_at: float, now: float, cost_s: float, burst_s: float) -> float:
    """Return the seconds until `cost_s` may be taken; 0 if it may be taken now."""
    excess = backlog_s(paid_at, now) + cost_s - burst_s
    return excess if excess > ROUNDING_S else 0.0


class TokenBucket:
    """The limit of one client: `rate_per_s` on average and `burst` at once. It begins full."""

    __slots__ = ("_paid_at", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._paid_at = now

    def take_tokens(self, now: float, count: float = 1.0) -> bool:
        """Take `count` tokens and return True; or change no state and return False."""
        rate = self.rate_per_s
        if excess_s(self._paid_at, now, count / rate, self.burst / rate):
            return False
        self._paid_at = charge(self._paid_at, now, count / rate)
        return True

    def take_some(self, now: float, count: int) -> int:
        """Take the whole tokens that are available, `count` at most; return their number."""
        rate = self.rate_per_s
        tokens = int(self.burst - rate * (backlog_s(self._paid_at, now) - ROUNDING_S))
        taken = min(count, tokens)
        if taken <= 0:
            return 0
        self._paid_at = charge(self._paid_at, now, taken / rate)
        return taken

    def charge(self, now: float, count: float) -> None:
        """Take `count` tokens for work that is done already, even if fewer are available."""
        self._paid_at = charge(self._paid_at, now, count / self.rate_per_s)

    def debt_s(self, now: float) -> float:
        """Return the seconds until the cost beyond the burst is paid off; 0 if there is no debt."""
        return excess_s(self._paid_at, now, 0.0, self.burst / self.rate_per_s)


class AddressRates:
    """The limits of many addresses. An address without a backlog has no entry.

    Overflow rule: above `size_max` entries, the entry that was used longest ago is forgotten. So an address that takes
    units without a pause cannot lose its entry.
    """

    __slots__ = ("_paid_at", "_size_max")

    def __init__(self, size_max: int = ADDRESSES_MAX) -> None:
        self._paid_at: dict[str, float] = {}  # least recently used first
        self._size_max = size_max

    def __len__(self) -> int:
        return len(self._paid_at)

    def backlog_s(self, address: str, now: float) -> float:
        """Return the seconds of the rate that `address` has taken and not paid off."""
        return backlog_s(self._paid_at.get(address, -inf), now)

    def take_unit(self, address: str, now: float, interval_s: float, burst_s: float) -> float:
        """Take one unit, which costs `interval_s`, and return 0; or return the seconds until it may be taken.

        The backlog after it is at most `burst_s`, or `interval_s` if `interval_s` is greater.
        """
        paid_at = self._paid_at.get(address, -inf)
        wait_s = excess_s(paid_at, now, interval_s, max(burst_s, interval_s))
        if wait_s:
            return wait_s
        self._paid_at.pop(address, None)
        self._paid_at[address] = charge(paid_at, now, interval_s)
        self._forget(now)
        return 0.0

    def take_some(self, address: str, now: float, count: int, interval_s: float, burst_s: float) -> int:
        """Take as many of `count` units, each of `interval_s`, as the backlog of `burst_s` admits; return their number.

        `burst_s` is at least `interval_s`.
        """
        paid_at = self._paid_at.get(address, -inf)
        taken = min(count, int((burst_s - backlog_s(paid_at, now) + ROUNDING_S) / interval_s))
        if taken <= 0:
            return 0
        self.charge(address, now, taken * interval_s)
        return taken

    def charge(self, address: str, now: float, cost_s: float) -> None:
        """Take what costs `cost_s` for work that is done already, however great the backlog is."""
        paid_at = self._paid_at.pop(address, -inf)
        self._paid_at[address] = charge(paid_at, now, cost_s)
        self._forget(now)

    def _forget(self, now: float) -> None:
        for _ in range(_SWEEP):
            oldest = next(iter(self._paid_at))
            if self._paid_at[oldest] > now and len(self._paid_at) <= self._size_max:
                return
            del self._paid_at[oldest]
            if not self._paid_at:
                return
