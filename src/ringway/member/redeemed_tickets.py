"""Tickets redeemed at this member, counted by their issuer; the counts go out in its reports.

By its count an issuer knows how many of the places that it holds here are occupied now (`core.load.reservation`).
"""

from collections.abc import Callable

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
        self._untold: dict[Issuer, None] = {}

    def untold(self) -> list[Issuer]:
        """Return the donors that do not know their count yet."""
        return list(self._untold)

    def on_told(self, issuer: Issuer, count: int) -> None:
        """Record that the donor `issuer` has received `count`."""
        if self.taken.get(issuer, 0) == count:
            self._untold.pop(issuer, None)

    def count_ticket(self, issuer: Issuer, *, is_move: bool) -> None:
        """Count one redeemed ticket of `issuer`. The donor of a move hears no reports, so it gets a notice."""
        if issuer not in self.taken and len(self.taken) >= ISSUERS_MAX:
            oldest = min(self.taken, key=lambda known: self._heard_at.get(known, 0.0))
            self._drop(oldest)
        if is_move:
            self._untold[issuer] = None
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
        self._untold.pop(issuer, None)
