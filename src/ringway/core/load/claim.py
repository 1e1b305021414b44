"""Claims: places that donors hold for moved clients, given to clients that come without a ticket.

A plain client that was told to move reconnects through the gateway like any newcomer. It is given a place that is held
for a move, which keeps the plan exact: with any client in that place, the counts become as planned. A ticket in the
donor's name makes the donor's ledger drop the place, and the donor's next report ends the claim.

Donors take turns. Gateways do not hear of each other's claims before that report. If all gateways gave the places of
the first donor, these places would be given twice, and the places of the last donor never.
"""

from collections.abc import Iterable, Mapping

from ringway.core.load.reservation import Ledger
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName, Role

CLAIM_TTL_S = 3.0
"""A claim covers the time until the donor has heard that a client occupies its place: two report periods and more."""


class Claims:
    """The places of donors that were claimed here. `now` is monotonic."""

    def __init__(self) -> None:
        self._claimed = Ledger[tuple[Issuer, NodeName]](CLAIM_TTL_S)
        self.targets: dict[Issuer, set[NodeName]] = {}  # of the places that were claimed, by donor
        self._donors: dict[Issuer, Report] = {}  # the last reports of donors
        self._turn = 0

    def unclaimed(self, donors: Iterable[tuple[Report, Mapping[NodeName, int]]]) -> Iterable[tuple[Issuer, NodeName]]:
        """Yield the donor and the target of places that are not all claimed yet.

        `donors` are the last reports, each with its places that were not redeemed since. A redeemed place may have been
        that of a claim, or that of a moved client's own ticket.
        """
        told = list(donors)
        first = self._turn % max(1, len(told))
        for report, left in told[first:] + told[:first]:
            if report.role is Role.NODE and not report.is_backend:  # clients of backends are expected by name
                issuer = Issuer(report.incarnation)
                for target, held in left.items():
                    redeemed = report.reserved[target] - held
                    if held > max(0, self._claimed.count((issuer, target)) - redeemed):
                        yield issuer, target

    def claim(self, issuer: Issuer, target: NodeName, now: float) -> None:
        """Count a place as given away."""
        self._turn += 1
        targets = self.targets.setdefault(issuer, set())
        if target not in targets:
            targets.add(target)
            self._count_ended(issuer, target)  # places that ended before this claim do not count for it
        self._claimed.hold((issuer, target), now)

    def settle(self, report: Report) -> None:
        """Drop the claims whose places have ended by the donor's report: its moves, less the places still held."""
        if not report.moved and not self.targets:
            return
        issuer = Issuer(report.incarnation)
        if report.moved:
            self._donors[issuer] = report
        for target in list(self.targets.get(issuer, ())):
            self._count_ended(issuer, target)
            if not self._claimed.count((issuer, target)):
                self.targets[issuer].discard(target)
        if not self.targets.get(issuer, True):
            del self.targets[issuer]

    def forget(self, donor: Report) -> None:
        """Drop all claims of a donor that is gone."""
        issuer = Issuer(donor.incarnation)
        self._donors.pop(issuer, None)
        for target in {*donor.moved, *self.targets.pop(issuer, ())}:
            self._claimed.forget((issuer, target))

    def expire(self, now: float) -> None:
        """Drop the claims whose time has passed."""
        self._claimed.expire(now)

    def _count_ended(self, issuer: Issuer, target: NodeName) -> None:
        """Read how many places have ended. Targets without a claim are read when there is a claim again."""
        report = self._donors.get(issuer)
        if report is not None and target in report.moved:
            ended = report.moved[target] - report.reserved.get(target, 0)
            self._claimed.redeemed((issuer, target), report.incarnation, ended)
