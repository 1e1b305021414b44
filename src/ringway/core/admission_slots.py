"""Slots for newcomers: the moment at which each client may come, so that a crowd comes as fast as nodes can serve it.

After a failure all clients ask at once. A client with a later slot costs nothing until then; a client that comes too
early is refused, and tries again. So each client is given the next free slot of a queue that exists in numbers only
(the generic cell rate algorithm of `core.rate`, which gives a time instead of a refusal):

    slot = max(the slot before + 1 / rate, now - burst)        wait = max(0, slot - now)

A client waits only if clients are ahead of it. In any t seconds at most `rate (t + burst) + 1` slots begin.

Small addresses. An address that asks without a pause fills the queue up to the horizon, and all clients would wait
behind it. So an address that holds few places (`core.outstanding`) has a short queue of its own: it is given the next
slot there, and the long queue is delayed by as much. Slots that were promised before stay valid: in any t seconds at
most `2 rate t` slots begin beside the burst, and in the long run no more than without the short queue.

Slots come back. A ticket that ends unused (the view's ledger counts these) moves the queue forward again, at most at
the rate itself: so the nodes are never sent more than twice the rate.

Beyond the horizon no slots are given: each slot holds a place at a node, and a promise for a minute later is worth
little. A client without a slot is told when to ask again. These clients are counted in a second queue behind the first,
so that they come back in sequence, half a horizon before their turn, and not all at once.
"""

from math import inf

from ringway.core.rate import backlog_s, charge

BURST_S = 0.2
"""The part of the rate that may come at once after an idle time."""

AWAY_S_MAX = 60.0
"""The longest time after which a client is told to ask again: by then, conditions have changed."""


class AdmissionSlots:
    """The queue of one gateway. `per_s` is the number of slots a second; 0: no queue. `now` is monotonic."""

    __slots__ = ("_away_at", "_interval", "_paid_at", "_small_at")

    def __init__(self) -> None:
        self._interval = 0.0
        self._paid_at = -inf  # the first free slot is `BURST_S` before this
        self._small_at = -inf  # the first free slot of addresses that hold few places
        self._away_at = -inf  # the first free return of clients that were given no slot

    @property
    def per_s(self) -> float:
        """The number of slots a second; 0: not limited."""
        return 1.0 / self._interval if self._interval else 0.0

    @per_s.setter
    def per_s(self, rate: float) -> None:
        self._interval = 1.0 / rate if rate > 0 else 0.0

    def wait_s(self, now: float) -> float:
        """Return how long the next client would wait, in seconds."""
        return max(0.0, backlog_s(self._paid_at, now) - BURST_S) if self._interval else 0.0

    def take_slot(self, now: float, horizon_s: float, *, small: bool = False) -> float | None:
        """Take the next slot, and return how long to wait for it, in seconds; None if it is beyond the horizon.

        `small`: for an address that holds few places, which need not wait behind addresses that hold many.
        """
        if not self._interval:
            return 0.0
        wait_s = backlog_s(self._paid_at, now) - BURST_S
        ahead_s = backlog_s(self._small_at, now)
        jumps = small and ahead_s < wait_s
        if jumps:
            wait_s = ahead_s
        if wait_s > horizon_s:
            return None
        if jumps:
            self._small_at = charge(self._small_at, now, self._interval)
        self._paid_at = charge(self._paid_at, now, self._interval)
        return max(0.0, wait_s)

    def give_back(self, now: float, count: float) -> None:
        """Return unused slots to the queue."""
        self._paid_at = max(now, self._paid_at - count * self._interval)

    def turn_away(self, now: float, horizon_s: float) -> float:
        """Return after how many seconds to ask again, if `take_slot` gave no slot."""
        turn = max(self._away_at, self._paid_at - BURST_S, now + horizon_s)
        turn = min(turn, now + AWAY_S_MAX + horizon_s / 2)
        self._away_at = turn + self._interval
        return turn - now - horizon_s / 2
