"""Effective load: how much each node holds, counting what is on its way (DESIGN.md 5).

    load = connections + pending (both reported) + places held by this issuer + places held by others (reported)

It belongs to the view, not to a policy, and is rebuilt from reports within a second after a restart. Entries are
kept up to date as reports and placements come in, so that a pick reads plain attributes: nothing is computed or
copied per pick.
"""

from ringway.core.reservation import Ledger
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

CLAIM_TTL_S = 3.0
"""A claim covers the time until the donor has heard that its place was taken: two report periods and more."""


class NodeLoad:
    """One node as a policy sees it."""

    __slots__ = (
        "connections", "full", "incarnation", "load", "name", "others", "own", "pending", "report", "state", "weight",
    )  # fmt: skip

    def __init__(self, name: NodeName, incarnation: Incarnation, weight: float = 1.0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.weight = weight
        self.state = NodeState.ACTIVE
        self.connections = 0
        self.pending = 0
        self.own = 0  # places held by this issuer
        self.others = 0  # places held by other members
        self.load = 0
        self.full = 1.0 / weight  # how full it would be with one more; the +1 lets weights count on idle nodes as well
        self.report: Report | None = None

    def __repr__(self) -> str:
        return f"NodeLoad({self.name} load={self.load} weight={self.weight})"

    def refresh(self) -> None:
        """Recompute `load` and `full` after one of their parts has changed."""
        self.load = self.connections + self.pending + self.own + self.others
        self.full = (self.load + 1) / self.weight


class LoadView:
    """The nodes and their effective load, as one issuer of tickets sees them. `now` is monotonic.

    Invariants: `eligible` holds exactly the active nodes of `nodes` in the order of their names; `version` grows
    whenever `eligible` or a weight in it changes, so that policies know when to rebuild what they derive from it.
    """

    def __init__(self, issuer: Issuer, ledger: Ledger[NodeName] | None = None) -> None:
        self.issuer = issuer
        self.ledger = ledger or Ledger[NodeName]()
        self.nodes: dict[NodeName, NodeLoad] = {}
        self.eligible: list[NodeLoad] = []
        self.version = 0
        self._reserved_by: dict[NodeName, Report] = {}  # members that hold places, by their last report
        self._claims = Ledger[tuple[Issuer, NodeName]](CLAIM_TTL_S)  # donors' places that were given away here

    def reported(self, report: Report, now: float) -> None:
        """Take the report of a node or of another gateway."""
        self._others_changed(report)
        if report.role is not Role.NODE:
            return
        self._settle_claims(report)
        node = self.nodes.get(report.name)
        fresh = node is None or node.incarnation != report.incarnation
        if node is None or fresh:
            node = self.nodes[report.name] = NodeLoad(report.name, report.incarnation)
            node.others = self._held_by_others(report.name)
        self.ledger.redeemed(report.name, report.incarnation, report.taken.get(self.issuer, 0))
        changed = fresh or node.state is not report.state or node.weight != report.weight
        node.report = report
        node.state = report.state
        node.weight = report.weight
        node.connections = report.connections
        node.pending = report.pending
        node.own = self.ledger.count(report.name)
        node.refresh()
        if changed:
            self._rebuild()
        self._claims.expire(now)

    def forgotten(self, report: Report) -> None:
        """Drop a member that has left."""
        held = self._reserved_by.pop(report.name, None)
        if held is not None:
            self._refresh_others(held.reserved)
        for target in report.moved:
            self._claims.forget((Issuer(report.incarnation), target))
        if report.role is Role.NODE and self.nodes.pop(report.name, None) is not None:
            self.ledger.forget(report.name)
            self._rebuild()

    def place(self, node: NodeLoad, now: float) -> None:
        """Hold a place at `node` for a client that is being sent there."""
        self.ledger.hold(node.name, now)
        node.own += 1
        node.load += 1
        node.full = (node.load + 1) / node.weight

    def unplace(self, node: NodeLoad) -> None:
        """Give that place up: the client could not be sent there."""
        self.ledger.release(node.name)
        node.own = self.ledger.count(node.name)
        node.refresh()

    def arrived(self, node: NodeLoad) -> None:
        """Count a connection at a node that does not report: a static backend, whose relays the gateway counts."""
        self.ledger.release(node.name)
        node.own = self.ledger.count(node.name)
        node.connections += 1
        node.refresh()

    def departed(self, node: NodeLoad) -> None:
        """Count the end of such a connection."""
        node.connections -= 1
        node.refresh()

    def tick(self, now: float) -> None:
        """Let places end whose time has passed; call it a few times a second."""
        self.ledger.expire(now)
        self._claims.expire(now)
        for node in self.nodes.values():
            own = self.ledger.count(node.name)
            if own != node.own:
                node.own = own
                node.refresh()

    def claim(self, now: float) -> tuple[NodeLoad, Issuer] | None:
        """Return the place that a donor holds for a moved client, for a client that came without its ticket.

        A plain client that was told to move reconnects through the gateway like any newcomer. Giving it a place
        that is held for a move anyway keeps the plan exact: whoever comes, the counts come out as planned. The
        returned issuer is the donor; a ticket in its name makes the donor's ledger drop the place.
        """
        for report in self._reserved_by.values():
            if report.role is not Role.NODE:
                continue
            issuer = Issuer(report.incarnation)
            for name, held in report.reserved.items():
                node = self.nodes.get(name)
                if node is None or node.state is not NodeState.ACTIVE:
                    continue
                if held > self._claims.count((issuer, name)):
                    self._claims.hold((issuer, name), now)
                    return node, issuer
        return None

    def _others_changed(self, report: Report) -> None:
        if str(report.incarnation) == self.issuer:  # our own: `own` counts these places
            return
        before = self._reserved_by.get(report.name)
        if report.reserved:
            self._reserved_by[report.name] = report
        elif before is not None:
            del self._reserved_by[report.name]
        self._refresh_others(report.reserved if before is None else {**before.reserved, **report.reserved})

    def _refresh_others(self, names: dict[NodeName, int]) -> None:
        for name in names:
            node = self.nodes.get(name)
            if node is not None:
                node.others = self._held_by_others(name)
                node.refresh()

    def _held_by_others(self, name: NodeName) -> int:
        return sum(report.reserved.get(name, 0) for report in self._reserved_by.values())

    def _settle_claims(self, report: Report) -> None:
        """Drop the claims whose places have ended, as the donor says: those that it gave, less those it still holds."""
        for target, given in report.moved.items():
            ended = given - report.reserved.get(target, 0)
            self._claims.redeemed((Issuer(report.incarnation), target), report.incarnation, ended)

    def _rebuild(self) -> None:
        self.eligible = [self.nodes[name] for name in sorted(self.nodes) if self.nodes[name].state is NodeState.ACTIVE]
        self.version += 1
