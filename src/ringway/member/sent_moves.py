"""Connections that this member sent to others: how many, and the places that are held for them until they arrive."""

from collections.abc import Callable

from ringway.core.load.reservation import Ledger
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.types import Incarnation, Issuer, NodeName, Role


class SentMoves:
    """The moves by target. A listener of `Feed`; `incarnation` is this member's own, `clock` is monotonic."""

    def __init__(self, incarnation: Incarnation, clock: Callable[[], float]) -> None:
        self.moved: dict[NodeName, int] = {}
        """Connections sent to each target that is alive; part of each report."""
        self.total = 0
        """Connections sent, to all targets."""
        self.missed = 0
        """Connections sent that did not take their place in time; part of each report."""
        self.ledger: Ledger[NodeName] = Ledger()
        """The places held for them; those that are still held go out in reports."""
        self._issuer = Issuer(incarnation)
        self._clock = clock

    def count_move(self, target: NodeName) -> None:
        """Count a connection that is sent to `target`, and hold a place for it there."""
        self.ledger.hold(target, self._clock())
        self.moved[target] = self.moved.get(target, 0) + 1
        self.total += 1

    def on_event(self, event: MembershipEvent) -> None:
        """Give up the places that a target reports as taken, and all places at a member that left."""
        report = event.report
        if isinstance(event, MemberLeft):
            self.ledger.forget(report.name)
            self.moved.pop(report.name, None)
        elif report.role is Role.NODE:
            self.ledger.redeemed(report.name, report.incarnation, report.taken.get(self._issuer, 0))

    def tick(self) -> None:
        """Give up the places that nobody took in time."""
        self.missed += self.ledger.expire(self._clock())
