"""Tickets redeemed at this member, counted by their issuer; the counts go out in its reports.

By its count an issuer knows how many of the places that it holds here are occupied now (`core.load.reservation`).

A donor is told what the last report says, and not more: when a donor ends a place, gateways must have heard already
that the client is here. Otherwise it would be missing in the load of both, and a balance would move further clients.
"""

from collections.abc import Callable, Mapping

from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.types import Issuer

TAKEN_KEEP_S = 60.0
"""The time for which the count of an issuer is reported after its last report or its last ticket."""

ISSUERS_MAX = 4096
"""Issuers that are counted at one time; for a new issuer, the issuer that was heard longest ago is dropped."""


class RedeemedTickets:
    """The counts by issuer. A listener of `Feed`; `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.taken: dict[Issuer, int] = {}
        self._clock = clock
        self._heard_at: dict[Issuer, float] = {}
        self._reported: Mapping[Issuer, int] = {}
        self._told: dict[Issuer, int] = {}  # the counts that donors know, as long as there is more to tell

    def on_reported(self, taken: Mapping[Issuer, int]) -> None:
        """Record the counts of the last report that was sent."""
        self._reported = taken

    def untold(self) -> dict[Issuer, int]:
        """Return the donors that do not know their count in the last report, each with that count."""
        counts = ((issuer, self._reported.get(issuer, 0), told) for issuer, told in self._told.items())
        return {issuer: count for issuer, count, told in counts if count != told}

    def on_told(self, issuer: Issuer, count: int) -> None:
        """Record that the donor `issuer` has received `count`."""
        if self.taken.get(issuer, 0) == count:
            self._told.pop(issuer, None)
        elif issuer in self._told:
            self._told[issuer] = count

    def count_ticket(self, issuer: Issuer, *, is_move: bool) -> None:
        """Count one redeemed ticket of `issuer`. The donor of a move hears no reports, so it gets a notice."""
        if issuer not in self.taken and len(self.taken) >= ISSUERS_MAX:
            oldest = min(self.taken, key=lambda known: self._heard_at.get(known, 0.0))
            self._drop(oldest)
        if is_move:
            self._told.setdefault(issuer, self.taken.get(issuer, 0))
        self.taken[issuer] = self.taken.get(issuer, 0) + 1
        self._heard_at[issuer] = self._clock()

    def on_event(self, event: MembershipEvent) -> None:
        """Record the issuers that are alive."""
        issuer = Issuer(event.report.incarnation)
        if issuer in self.taken and not isinstance(event, MemberLeft):
            self._heard_at[issuer] = self._clock()

    def tick(self) -> None:
        """Drop the counts of issuers that were not heard for `TAKEN_KEEP_S`."""
        now = self._clock()
        for issuer in [issuer for issuer, at in self._heard_at.items() if at + TAKEN_KEEP_S <= now]:
            self._drop(issuer)

    def _drop(self, issuer: Issuer) -> None:
        self.taken.pop(issuer, None)
        self._heard_at.pop(issuer, None)
        self._told.pop(issuer, None)
