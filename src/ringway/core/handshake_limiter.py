"""How many handshakes a node takes: as fast as it has measured that it can, and those with a ticket first.

More than it can take would make all of them late, those that are connected too; whoever is refused at once costs
little, and comes again. What comes with a ticket was paced already, by a gateway's slots or by the balancer; it is
let in ahead of clients that just come.

Theory: a leaky bucket, filled by each handshake with the time that it takes (1 / rate), leaking a second per second.
Without a ticket a handshake is taken while less than `BURST_S` is in, with one while less than `TICKETS_S` more is. In
any t seconds at most `rate (t + BURST_S) + 1` come without a ticket from one address, `rate (t + BURST_S / share) + 1`
from all, and `rate (t + BURST_S + TICKETS_S) + 1` with those that have one.

Addresses share the bucket by the rule of `core.address`: `BURST_S` is what one has alone, and the rest of
`BURST_S / share` is kept for others. So an address has the whole rate while it is alone, and others come in before it
as soon as they come.

Those that are refused are told times at which to come again: one after the other, as fast as they could be taken.
"""

from math import inf

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.rate import AddressRates

BURST_S = 1.0
"""What a node may be given at once, in seconds of its rate: a page that opens fifty sockets is no flood."""

TICKETS_S = 1.0


class HandshakeLimiter:
    """One node's handshakes. `per_s` is the rate at the time, `now` monotonic."""

    __slots__ = ("_at", "_level_s", "_of", "_returns")

    def __init__(self, now: float) -> None:
        self._at = now
        self._level_s = 0.0
        self._of = AddressRates()
        self._returns = AdmissionSlots()

    def take(self, now: float, per_s: float, *, ticket: bool, address: str = EXEMPT, share: float = 1.0) -> bool:
        """Take one handshake in, or return False: it is to be refused."""
        self._level_s = max(0.0, self._level_s - (now - self._at))
        self._at = now
        if ticket:
            if self._level_s >= BURST_S + TICKETS_S:
                return False
        elif address == EXEMPT:
            if self._level_s >= BURST_S:
                return False
        else:
            free_s = BURST_S / share - self._level_s
            if free_s <= 0 or self._of.backlog_s(address, now) * (1.0 - share) >= share * free_s:
                return False
            self._of.take(address, now, 1.0 / per_s, inf)
        self._level_s += 1.0 / per_s
        return True

    def pause_s(self, now: float, per_s: float) -> float:
        """Return how long whoever was refused should wait."""
        self._returns.per_s = per_s
        return self._returns.turn_away(now, 0.0)
