"""How fast one node may be given newcomers: slow start by measure, not by guess (research: load-balancing §4.2.4).

A node that joins empty is what every policy by load wants; without a cap it gets n+1 times its fair share of arrivals.
Two limits pace it, and the algorithm stays the same meanwhile:

- its **share**: at most `SHARE_MAX` times its fair part of what this gateway places. Counted in placements, not in
  seconds, so that it needs no estimate of the arrival rate and holds at any;
- its **rate**: at most `RATE_SHARE` of the handshakes a second that it says it can take, divided among the gateways.

Both are generic cell rate algorithms (ITU-T I.371): a theoretical arrival moves on by an interval for each newcomer,
and the node is paced while that lies further ahead than a burst.

A paced node is passed over while another can be had. Where all are paced, the one whose turn comes first is taken:
then arrivals are shared in proportion to what nodes can take, and nobody is refused.
"""

SHARE_MAX = 3.0
"""Times the fair share; two choices give an empty node two."""

SHARE_BURST = 5.0
"""Newcomers that a node may be ahead of its share: random draws come in clusters."""

RATE_SHARE = 0.5
"""Of the measured handshake capacity; the other half is for moves, and for clients that come directly."""

RATE_BURST_S = 0.1


class AcceptCap:
    """The pace of one node. `placed` counts the placements of this gateway, `now` is monotonic."""

    __slots__ = ("interval", "interval_s", "paced", "share_turn", "time_turn")

    def __init__(self) -> None:
        self.interval = 0.0  # placements from one newcomer to the next; 0: not limited
        self.interval_s = 0.0  # seconds from one newcomer to the next; 0: not limited
        self.share_turn = 0.0
        self.time_turn = 0.0
        self.paced = False

    def limit(self, weight_share: float, accept_per_s: float, gateways: int) -> None:
        """Set the limits: the node's part of all weights, and its handshakes a second (0: unknown, not limited)."""
        self.interval = 1.0 / (SHARE_MAX * weight_share) if weight_share > 0 else 0.0
        self.interval_s = gateways / (RATE_SHARE * accept_per_s) if accept_per_s > 0 else 0.0

    def take(self, placed: int, now: float) -> None:
        """Count one newcomer."""
        self.share_turn = max(self.share_turn, placed) + self.interval
        self.time_turn = max(self.time_turn, now) + self.interval_s

    def untake(self) -> None:
        """Take that back: the newcomer could not be sent."""
        self.share_turn -= self.interval
        self.time_turn -= self.interval_s

    def share_ready(self) -> float:
        """The count of placements from which on the node's share allows another newcomer."""
        return self.share_turn - SHARE_BURST * self.interval

    def time_ready(self) -> float:
        """The time from which on its rate allows another newcomer."""
        return self.time_turn - max(RATE_BURST_S, self.interval_s)
