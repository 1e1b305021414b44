"""Limiter of a node's handshakes: admits the rate that the node can serve by measurement, with tickets first.

A higher rate would delay all clients, also connected ones. A refusal at once is cheap, and the client comes again. A
client with a ticket was paced already, by a gateway's slots or by the balancer; so it is admitted before clients that
come by themselves.

Theory: each handshake costs the time 1 / rate (`core.rate`). Without a ticket a handshake is admitted while the backlog
is less than `BURST_S`, with a ticket while it is less than `BURST_S + TICKETS_S`. In any t seconds the handshakes are
at most `rate (t + BURST_S) + 1` without a ticket from one address, `rate (t + BURST_S / share) + 1` without a ticket
from all addresses, and `rate (t + BURST_S + TICKETS_S) + 1` with and without a ticket.

Addresses share the rate by the rule of `core.address`: an address alone has `BURST_S`, and the rest of
`BURST_S / share` is reserved for further addresses. So an address has the whole rate while it is alone, and further
addresses are admitted before it as soon as they come.

A refused client is told when to come again. The intervals between these times match the rate.
"""

from math import inf

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.rate import ROUNDING_S, AddressRates, backlog_s, charge

BURST_S = 1.0
"""The part of the rate that may come at once, in seconds: a page that opens fifty sockets is no flood."""

TICKETS_S = 1.0


class HandshakeLimiter:
    """The handshakes of one node. `per_s` is the present rate, `now` monotonic."""

    __slots__ = ("_addresses", "_paid_at", "_returns")

    def __init__(self, now: float) -> None:
        self._paid_at = now
        self._addresses = AddressRates()
        self._returns = AdmissionSlots()

    def admit(self, now: float, per_s: float, *, ticket: bool, address: str = EXEMPT, share: float = 1.0) -> bool:
        """Admit one handshake and return True, or return False: then it is to be refused."""
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
        """Return the pause of a refused client, in seconds."""
        self._returns.per_s = per_s
        return self._returns.turn_away(now, 0.0)
