"""A simulated gateway: the product's membership, view and policy, fed with reports."""

from random import Random

from ringway.core.load import LoadView
from ringway.core.membership import MemberLeft, Membership, MembershipEvent
from ringway.core.placement import Policy
from ringway.core.placement.place import choose_place
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role

SOON_S = 0.2
"""How soon it reports when the places that it holds have changed much."""


class SimGateway:
    """One gateway; `issuer` is what the crowd's arrays call the tickets it gives."""

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
        self._report_due = 0.0
        self._look_due = 0.0
        self.tick_due = 0.0

    def heard(self, report: Report, now: float) -> None:
        """Take a report."""
        self._take(self.membership.heard(report, now), now)

    def withdrawn(self, name: NodeName, now: float) -> None:
        """Take the word of a member that it leaves."""
        self._take(self.membership.withdrawn(name), now)

    def tick(self, now: float) -> None:
        """Let time pass."""
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
        """Return its report, where one is due: each second, and soon after its places have changed much."""
        if now < self._look_due:
            return None
        self._look_due = now + SOON_S
        held = self.view.ledger.held()
        changed = sum(abs(held.get(name, 0) - self._told.get(name, 0)) for name in held | self._told)
        if now < self._report_due and changed < max(8, sum(self._told.values()) // 32):
            return None
        self._told = held
        self._report_due = now + rng.uniform(0.8, 1.2)
        self._seq += 1
        return Report(
            name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=self._seq, url="", reserved=held
        )

    def place(self, key: bytes | None, now: float, rng: Random) -> tuple[NodeName, Issuer]:
        """Return the node for a client that comes without a ticket, and the holder of its place. Raise `NoNode`."""
        view = self.view
        view.wake(now)
        choice = choose_place(view, self.policy, key, rng, now, count=1, claims=self._claims)
        if not choice.claimed:
            view.place(choice.node, now)
        return choice.node.name, choice.issuer
