"""Outcomes of moves, by the counters in nodes' reports: what became of the sessions and their clients.

Each connection that was sent away has one outcome, which one node counts: the donor, or the target
(docs/explain/moves.md). A counter begins anew with each incarnation, so differences are counted, from the first report
of an incarnation that is heard.
"""

from collections.abc import Iterable
from functools import reduce
from operator import attrgetter
from typing import NamedTuple

from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role


class MoveOutcomes(NamedTuple):
    """Numbers of connections that were sent away, by what became of them."""

    handed_over: int = 0
    """The session goes on at the target, and its client is there."""
    reconnected: int = 0
    """The client was told to reconnect, and comes without its session."""
    lost: int = 0
    """The client ended during the move, and its session did not reach the target."""
    apart: int = 0
    """The session reached the target, and the client did not come for it in time."""

    def plus(self, other: "MoveOutcomes") -> "MoveOutcomes":
        """Return the sums."""
        return MoveOutcomes(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def total(self) -> int:
        """The number of connections with an outcome."""
        return sum(self)

    @property
    def shortcomings(self) -> str:
        """The outcomes other than handed over, in words; empty if there are no others."""
        named = ((self.reconnected, "reconnected"), (self.lost, "lost"), (self.apart, "apart"))
        return ", ".join(f"{count:,} {name}" for count, name in named if count)

    def __str__(self) -> str:
        rest = self.shortcomings
        return f"{self.handed_over:,} handed over" + (f", {rest}" if rest else "")


NO_OUTCOMES = MoveOutcomes()


def sum_outcomes(outcomes: Iterable[MoveOutcomes]) -> MoveOutcomes:
    """Return the sums of `outcomes`."""
    return reduce(MoveOutcomes.plus, outcomes, NO_OUTCOMES)


_counters_of = attrgetter(*MoveOutcomes._fields)


class OutcomeCounters:
    """The outcomes since the last call, from the counters of all nodes."""

    def __init__(self) -> None:
        self._seen: dict[Incarnation, tuple[int, ...]] = {}

    def observe(self, reports: Iterable[Report]) -> dict[NodeName, MoveOutcomes]:
        """Return the outcomes that are new in `reports`, the last report of each member that is alive, by the node
        that counted them; nodes without new outcomes are left out.
        """
        new: dict[NodeName, MoveOutcomes] = {}
        seen = self._seen
        known = seen.get
        alive = []
        for report in reports:
            if report.role is not Role.NODE:
                continue
            alive.append(report.incarnation)
            now = _counters_of(report)
            before = known(report.incarnation)
            if now == before:
                continue  # nearly all
            seen[report.incarnation] = now
            if before is not None:
                new[report.name] = MoveOutcomes(*(max(0, n - b) for n, b in zip(now, before, strict=True)))
        if len(seen) > len(alive):
            self._seen = {incarnation: seen[incarnation] for incarnation in alive}
        return new
