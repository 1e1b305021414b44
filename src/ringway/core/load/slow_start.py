"""Slow start: the pace at which one node may get newcomers, by measurement instead of a fixed time.

A node that joins empty is preferred by every policy by load; without a cap it gets n+1 times its fair share of
arrivals. Two limits pace it; the algorithm of the policy does not change:

- its **share**: at most `SHARE_MAX` times its fair part of this gateway's placements. It is counted in placements, not
  in seconds, so that it needs no estimate of the arrival rate and is valid at any rate;
- its **rate**: at most `RATE_SHARE` of the handshakes a second that it reports, divided among the gateways.

Both are leaky buckets: each newcomer adds a unit, a unit leaks out per interval, and the node is paced while more than
a burst is in. In any span of k intervals, at most k + burst + 1 newcomers come.

A paced node is skipped while a node without a pace is free. If all nodes are paced, newcomers come in proportion to the
nodes' capacities, and no client is refused: each node has a finish time that moves on by the inverse of its capacity,
and the node with the earliest finish time is next (start-time fair queueing). This leaves no debt: a node that got too
many newcomers for an hour is not avoided afterwards.
"""

from math import inf

SHARE_MAX = 3.0
"""The bound, in fair shares; random two choices give an empty node two fair shares."""

SHARE_BURST = 5.0
"""Newcomers by which a node may be ahead of its share: random draws come in clusters."""

RATE_SHARE = 0.5
"""The part of the measured handshake capacity; the rest is for moves, and for clients that come directly."""

RATE_BURST_S = 0.1


class _Bucket:
    """Counts newcomers; one newcomer leaks out each `interval`, in the caller's unit (seconds, placements).

    It counts newcomers, where `core.rate` counts time, since its interval changes while newcomers are in.
    """

    __slots__ = ("at", "burst", "interval", "level")

    def __init__(self) -> None:
        self.interval = 0.0  # 0: not limited
        self.burst = 0.0
        self.level = 0.0
        self.at = 0.0

    def add(self, at: float) -> None:
        if self.interval:
            left = self.level - (at - self.at) / self.interval
            if left > self.burst:  # newcomers beyond the burst came while all nodes were paced, and leave no debt
                left = self.burst
            self.level = left + 1.0 if left > 0.0 else 1.0
        self.at = at

    def ready(self) -> float:
        """Return the moment from which the next newcomer may come."""
        if not self.interval:
            return -inf
        over = self.level - self.burst
        return self.at + over * self.interval if over > 0.0 else self.at


class SlowStart:
    """The pace of one node. `placed` counts the placements of this gateway, `now` is monotonic."""

    __slots__ = ("_rate", "_share", "due", "finish", "paced")

    def __init__(self) -> None:
        self._share = _Bucket()
        self._share.burst = SHARE_BURST
        self._rate = _Bucket()
        self.paced = False
        self.due = 0.0  # when the view checks the node again, in placements or in seconds
        self.finish = 0.0  # the end of its turn while all nodes are paced, in virtual time

    @property
    def interval(self) -> float:
        """Placements between two newcomers; 0: not limited."""
        return self._share.interval

    @property
    def interval_s(self) -> float:
        """Seconds between two newcomers; 0: not limited."""
        return self._rate.interval

    def limit(self, weight_share: float, accept_per_s: float, gateways: int) -> None:
        """Set the limits: the node's part of all weights, and its handshakes a second (0: unknown, not limited)."""
        self._share.interval = 1.0 / (SHARE_MAX * weight_share) if weight_share > 0 else 0.0
        interval_s = gateways / (RATE_SHARE * accept_per_s) if accept_per_s > 0 else 0.0
        self._rate.interval = interval_s
        self._rate.burst = max(1.0, RATE_BURST_S / interval_s) if interval_s else 0.0

    def count_newcomer(self, placed: int, now: float) -> None:
        """Count one newcomer."""
        self._share.add(placed)
        self._rate.add(now)

    def uncount_newcomer(self) -> None:
        """Undo `count_newcomer`: the client could not be sent."""
        self._share.level = max(0.0, self._share.level - 1.0)
        self._rate.level = max(0.0, self._rate.level - 1.0)

    def share_ready(self) -> float:
        """The count of placements from which on the node's share allows the next newcomer."""
        return self._share.ready()

    def time_ready(self) -> float:
        """The time from which on the node's rate allows the next newcomer."""
        return self._rate.ready()
