"""Limiter of a node's handshakes: as many as the node has measured that it can take, those with a ticket first.

More than it can take would delay all clients, also those that are connected. A client that is refused at once costs
little, and comes again. A client with a ticket was paced already, by a gateway's slots or by the balancer; so it is
admitted before clients that come by themselves.

Theory: each handshake costs the time that it takes, 1 / rate (`core.rate`). Without a ticket a handshake is admitted
while the backlog is less than `BURST_S`, with a ticket while it is less than `BURST_S + TICKETS_S`. In any t seconds at
most `rate (t + BURST_S) + 1` come without a ticket from one address, `rate (t + BURST_S / share) + 1` from all
addresses, and `rate (t + BURST_S + TICKETS_S) + 1` including those with a ticket.

Addresses share the rate by the rule of `core.address`: an address alone has `BURST_S`, and the rest of
`BURST_S / share` is reserved for others. So an address has the whole rate while it is alone, and other addresses are
admitted before it as soon as they come.

A client that is refused is told when to come again. These times follow each other as fast as handshakes can be taken.
"""

from math import inf

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.rate import ROUNDING_S, AddressRates, backlog_s, charge

BURST_S = 1.0
"""How much of the rate may come at once, in seconds: a page that opens fifty sockets is no flood."""

TICKETS_S = 1.0


class HandshakeLimiter:
    """The handshakes of one node. `per_s` is the present rate, `now` monotonic."""

    __slots__ = ("_addresses", "_paid_at", "_returns")

    def __init__(self, now: float) -> None:
        self._paid_at = now
        self._addresses = AddressRates()
        self._returns = AdmissionSlots()

    def admit(self, now: float, per_s: float, *, ticket: bool, address: str = EXEMPT, share: float = 1.0) -> bool:
        """Admit one handshake, or return False: it is to be refused."""
        taken_s = backlog_s(self._paid_at, now) + ROUNDING_S
        if ticket:
            if taken_s >= BURST_S + TICKETS_S:
                return False
        elif address == EXEMPT:
            if taken_s >= BURST_S:
                return False
        else:
            free_s = BURST_S / share - taken_s
            if free_s <= 0 or self._addresses.backlog_s(address, now) * (1.0 - share) >= share * free_s:
                return False
            self._addresses.take_unit(address, now, 1.0 / per_s, inf)
        self._paid_at = charge(self._paid_at, now, 1.0 / per_s)
        return True

    def pause_s(self, now: float, per_s: float) -> float:
        """Return how long a client that was refused should wait, in seconds."""
        self._returns.per_s = per_s
        return self._returns.turn_away(now, 0.0)
