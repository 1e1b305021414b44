"""Slots: when each client that asks may come, so that a crowd comes as fast as nodes can take it, and no faster.

After a failure everybody asks at once. Whoever is told to come later costs nothing meanwhile; whoever comes too early
is refused, and tries again. So each client is given the next free moment of a queue that exists in numbers only:

    slot = max(the slot before + 1 / rate, now - burst)        wait = max(0, slot - now)

(the generic cell rate algorithm). Nobody waits where nobody is ahead. In any t seconds `rate (t + burst) + 1` slots
begin at most, whatever comes.

Newcomers. One address that asks on and on fills the queue to the horizon, and everybody would wait behind it. So
whoever holds little (`core.outstanding`) does not: it is given the next moment of a short queue of those, and what
waits behind the crowd is put off by as much. Moments that were promised before are kept: in any t seconds at most
`2 rate t` slots begin beside the burst, and no more than without newcomers in the long run.

Slots come back. A ticket that ends without having been used (the view's ledger tells how many) moves the queue forward
again, at most at the rate itself: so the nodes are never sent more than twice of it.

Beyond the horizon no slots are given: a place is held for each, and a promise of a minute is worth little. Who is
turned away is told when to ask again. They are counted as well, in a second queue behind the first, so that they come
back one after the other, half a horizon before their turn; else all of them would be back at one moment.
"""

from math import inf

BURST_S = 0.2
"""How much of the rate may come at once where nobody has come for a while."""

AWAY_S_MAX = 60.0
"""Nobody is told to stay away for longer: by then things have changed."""


class AdmissionSlots:
    """The queue of one gateway. `per_s` is how many may come in a second; 0: no queue. `now` is monotonic."""

    __slots__ = ("_away", "_interval", "_next", "_small")

    def __init__(self) -> None:
        self._interval = 0.0
        self._next = -inf  # the first free slot
        self._small = -inf  # the first free one of those that hold little
        self._away = -inf  # the same of the queue behind the horizon

    @property
    def per_s(self) -> float:
        """How many may come in a second; 0: not limited."""
        return 1.0 / self._interval if self._interval else 0.0

    @per_s.setter
    def per_s(self, rate: float) -> None:
        self._interval = 1.0 / rate if rate > 0 else 0.0

    def wait_s(self, now: float) -> float:
        """How long the next client would wait."""
        return max(0.0, self._next - now) if self._interval else 0.0

    def take(self, now: float, horizon_s: float, *, small: bool = False) -> float | None:
        """Give the next slot away, and return how long to wait for it; None where it is beyond the horizon.

        `small`: to one that holds little, and need not wait behind those that hold much.
        """
        if not self._interval:
            return 0.0
        slot = max(self._next, now - BURST_S)
        ahead = max(self._small, now)
        jumps = small and ahead < slot
        wait_s = (ahead if jumps else slot) - now
        if wait_s > horizon_s:
            return None
        if jumps:
            self._small = ahead + self._interval
        self._next = slot + self._interval
        return max(0.0, wait_s)

    def give_back(self, now: float, count: float) -> None:
        """Take back slots that were given away and not used."""
        self._next = max(now - BURST_S, self._next - count * self._interval)

    def turn_away(self, now: float, horizon_s: float) -> float:
        """Return after how many seconds to ask again, where `take` gave no slot."""
        turn = min(max(self._away, self._next, now + horizon_s), now + AWAY_S_MAX + horizon_s / 2)
        self._away = turn + self._interval
        return turn - now - horizon_s / 2
