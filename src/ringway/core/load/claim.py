"""Claims: places that donors hold for moved clients, given to clients that come without a ticket.

A plain client that was told to move reconnects through the gateway like any newcomer. It is given a place that is held
for a move anyway, which keeps the plan exact: whichever client comes, the counts become as planned. A ticket in the
donor's name makes the donor's ledger drop the place, and its next report ends the claim.

Donors take turns. Gateways do not hear of each other's claims before that report. If all of them gave the places of the
first donor, these would be given twice and those of the last donor never.
"""

from collections.abc import Iterable, Mapping

from ringway.core.load.reservation import Ledger
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName, Role

CLAIM_TTL_S = 3.0
"""A claim covers the time until the donor has heard that its place was taken: two report periods and more."""


class Claims:
    """The places of donors that were claimed here. `now` is monotonic."""

    def __init__(self) -> None:
        self._claimed = Ledger[tuple[Issuer, NodeName]](CLAIM_TTL_S)
        self._turn = 0

    def unclaimed(self, donors: Iterable[tuple[Report, Mapping[NodeName, int]]]) -> Iterable[tuple[Issuer, NodeName]]:
        """Yield donor and target of places of which some are not claimed yet.

        `donors` are the last reports, each with the places in it that were not redeemed since. A redeemed place may
        have been that of a claim, or of a ticket of its own.
        """
        told = list(donors)
        first = self._turn % max(1, len(told))
        for report, left in told[first:] + told[:first]:
            if report.role is Role.NODE:
                issuer = Issuer(report.incarnation)
                for target, held in left.items():
                    redeemed = report.reserved[target] - held
                    if held > max(0, self._claimed.count((issuer, target)) - redeemed):
                        yield issuer, target

    def claim(self, issuer: Issuer, target: NodeName, now: float) -> None:
        """Count a place as given away."""
        self._turn += 1
        self._claimed.hold((issuer, target), now)

    def settle(self, report: Report) -> None:
        """Drop the claims whose places have ended by the donor's report: those that it gave, less those still held."""
        for target, given in report.moved.items():
            ended = given - report.reserved.get(target, 0)
            self._claimed.redeemed((Issuer(report.incarnation), target), report.incarnation, ended)

    def forget(self, donor: Report) -> None:
        """Drop everything about a donor that is gone."""
        for target in donor.moved:
            self._claimed.forget((Issuer(donor.incarnation), target))

    def expire(self, now: float) -> None:
        """Drop the claims whose time has passed."""
        self._claimed.expire(now)
