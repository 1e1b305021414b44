"""Gateway of the simulation: the product's membership, view and policy, fed with reports."""

from random import Random

from ringway.core.load import LoadView
from ringway.core.membership import MemberLeft, Membership, MembershipEvent
from ringway.core.placement.keyed import Keyed
from ringway.core.placement.place import choose_place
from ringway.core.placement.policy import Policy
from ringway.core.reporting import REPORT_S, ReportSchedule, next_pause_s, places_have_changed
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role


class SimGateway:
    """One gateway; `issuer` is the number of its tickets in the crowd's arrays."""

    def __init__(self, name: NodeName, incarnation: Incarnation, issuer: int, policy: Policy, *, claims: bool) -> None:
        self.name = name
        self.incarnation = incarnation
        self.issuer = issuer
        self.membership = Membership()
        self.view = LoadView(Issuer(incarnation))
        self.policy = policy
        self.deaths = 0
        self._claims = claims
        self._seq = 0
        self._told: dict[NodeName, int] = {}
        self._schedule = ReportSchedule(0.0)
        self.tick_due = 0.0

    def heard(self, report: Report, now: float) -> None:
        """Process a report."""
        self._take(self.membership.heard(report, now), now)

    def withdrawn(self, name: NodeName, now: float) -> None:
        """Process the withdrawal of a member."""
        self._take(self.membership.withdrawn(name), now)

    def tick(self, now: float) -> None:
        """Advance the membership and the view to `now`."""
        self._take(self.membership.tick(now), now)
        self.view.tick(now)

    def _take(self, events: list[MembershipEvent], now: float) -> None:
        for event in events:
            if isinstance(event, MemberLeft):
                self.deaths += event.cause == "silent"
                self.view.forgotten(event.report)
            else:
                self.view.reported(event.report, now)

    def report(self, now: float, rng: Random) -> Report | None:
        """Return its report, if one is due: each second, and soon after its places have changed much."""
        if not self._schedule.may_report(now):
            return None
        held = self.view.ledger.held()
        if not self._schedule.is_due(now, has_news=places_have_changed(self._told, held)):
            return None
        self._told = held
        self._schedule.on_report(now, next_pause_s(REPORT_S, rng))
        self._seq += 1
        return Report(
            name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=self._seq, url="", reserved=held
        )

    def place(self, key: bytes | None, now: float, rng: Random) -> tuple[NodeName, Issuer]:
        """Return the node for a client that comes without a ticket, and the holder of its place. Raise `NoNode`."""
        view = self.view
        view.wake(now)
        if isinstance(self.policy, Keyed):
            self.policy.complete(view)  # milliseconds in the product, a turn here
        choice = choose_place(view, self.policy, key, rng, now, count=1, claims=self._claims)
        if not choice.claimed:
            view.place(choice.node, now)
        return choice.node.name, choice.issuer
