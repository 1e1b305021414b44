"""Effective load, and who may be given more: the view that every policy picks from (DESIGN.md 5).

    load = connections + pending (both reported) + places held by this issuer + places held by others (reported)

It belongs to the view, not to a policy: a policy may be exchanged at any time and loses nothing. It is rebuilt from
reports within a second after a restart. Entries are kept up to date as reports and placements come in, so that a pick
reads plain attributes: nothing is computed or copied per pick.

Who may be given more
- *Eligible* are the active nodes of positive weight. Policies derive what they need from these, by `version`.
- An eligible node is *barred* while it may take nobody: it is at its maximum, was not heard for long, or an external
  measure says so (`core.gate`). It is *paced* while it has been given enough for the moment (`core.accept`).
  Both show as a fullness of infinity, so that no policy has to ask.
- Reports of more than `STALE` periods ago are still used, and inflated: what has come since is unknown. After `DEAD`
  periods the node is barred. If that would leave less than half of the weight, this process is more likely blind than
  half of the cluster dead, and the age of reports is ignored (*panic*).
"""

from heapq import heappop, heappush
from math import inf

from ringway.core.accept import AcceptCap
from ringway.core.reservation import Ledger
from ringway.core.response import Response
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

CLAIM_TTL_S = 3.0
"""A claim covers the time until the donor has heard that its place was taken: two report periods and more."""

REPORT_S = 1.0
"""The period of reports, by which their age is judged."""

STALE = 3.0
DEAD = 5.0
PANIC_BELOW = 0.5
"""Of the active nodes' weight."""


class NodeLoad:
    """One node as a policy sees it."""

    __slots__ = (
        "accept", "barred", "connections", "full", "gate", "heard_at", "incarnation", "inflation", "load",
        "name", "others", "own", "pending", "report", "response", "stale", "state", "trim", "weight", "weight_own",
    )  # fmt: skip

    def __init__(self, name: NodeName, incarnation: Incarnation, weight: float = 1.0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.weight_own = weight  # as the node reports it; keys are placed by this one
        self.trim = 1.0  # what the slow weight loop makes of it (core.trim)
        self.weight = weight  # both together
        self.state = NodeState.ACTIVE
        self.connections = 0
        self.pending = 0
        self.own = 0  # places held by this issuer
        self.others = 0  # places held by other members
        self.load = 0
        self.full = 1.0 / weight if weight else inf  # with one more; the +1 lets weights count on idle nodes as well
        self.barred = ""  # why it may take nobody; empty: it may
        self.gate = ""  # what an external measure says against it; empty: nothing
        self.stale = ""  # why it is barred for the age of its report
        self.inflation = 1.0
        self.heard_at = 0.0
        self.accept = AcceptCap()
        self.response = Response()
        self.report: Report | None = None

    def __repr__(self) -> str:
        return f"NodeLoad({self.name} load={self.load} weight={self.weight})"

    @property
    def ready(self) -> bool:
        """Whether it may be given a newcomer now."""
        return self.full != inf

    def refresh(self) -> None:
        """Recompute `load`, `barred` and `full` after one of their parts has changed."""
        self.load = self.connections + self.pending + self.own + self.others
        most = self.report.connections_max if self.report is not None else 0
        if most and self.load >= most:
            self.barred = f"holds {self.load} of at most {most}"
        else:
            self.barred = self.gate or self.stale
        self.measure()

    def measure(self) -> None:
        """Recompute `full` alone."""
        if self.barred or self.accept.paced or self.weight <= 0:
            self.full = inf
        else:
            self.full = (self.load * self.inflation + 1) / self.weight


class LoadView:
    """The nodes and their effective load, as one issuer of tickets sees them. `now` is monotonic.

    Invariants: `eligible` holds exactly the active nodes of positive weight in the order of their names; `version`
    grows whenever `eligible` or a weight in it changes, so that policies know when to rebuild what they derive from it;
    `total` and `weights` are the sums of load and of weight over `eligible`.
    """

    def __init__(self, issuer: Issuer, ledger: Ledger[NodeName] | None = None, *, ages: bool = True) -> None:
        self.issuer = issuer
        self.ledger = ledger or Ledger[NodeName]()
        self.ages = ages  # whether silence means something: static backends report when asked, not each second
        self.nodes: dict[NodeName, NodeLoad] = {}
        self.eligible: list[NodeLoad] = []
        self.version = 0
        self.total = 0
        self.weights = 0.0
        self.placed = 0  # placements made here
        self.panic = False
        self._gateways: dict[NodeName, Report] = {}
        self._reserved_by: dict[NodeName, Report] = {}  # members that hold places, by their last report
        self._claims = Ledger[tuple[Issuer, NodeName]](CLAIM_TTL_S)  # donors' places that were given away here
        self._paced_by_share: list[tuple[float, NodeName]] = []  # heaps of who may be ready when
        self._paced_by_rate: list[tuple[float, NodeName]] = []

    def reported(self, report: Report, now: float) -> None:
        """Take the report of a node or of another gateway."""
        self._others_changed(report)
        if report.role is not Role.NODE:
            self._gateway_reported(report)
            return
        self._settle_claims(report)
        node = self.nodes.get(report.name)
        fresh = node is None or node.incarnation != report.incarnation
        if node is None or fresh:
            node = self._replace(report)
        self.ledger.redeemed(report.name, report.incarnation, report.taken.get(self.issuer, 0))
        before = node.report
        changed = fresh or node.state is not report.state or node.weight_own != report.weight
        node.report = report
        node.state = report.state
        node.weight_own = report.weight
        node.heard_at = now
        node.inflation, node.stale = 1.0, ""
        node.connections = report.connections
        node.pending = report.pending
        node.own = self.ledger.count(report.name)
        if changed:
            self._rebuild()
        elif before is None or before.accept_per_s != report.accept_per_s:
            self._limit(node)
        self.refresh(node)
        self._claims.expire(now)

    def forgotten(self, report: Report) -> None:
        """Drop a member that has left."""
        held = self._reserved_by.pop(report.name, None)
        if held is not None:
            self._refresh_others(held.reserved)
        for target in report.moved:
            self._claims.forget((Issuer(report.incarnation), target))
        if report.role is Role.NODE:
            if self.nodes.pop(report.name, None) is not None:
                self.ledger.forget(report.name)
                self._rebuild()
        elif self._gateways.pop(report.name, None) is not None:
            self._limit_all()

    def place(self, node: NodeLoad, now: float) -> None:
        """Hold a place at `node` for a client that is being sent there."""
        self.ledger.hold(node.name, now)
        self.placed += 1
        node.own += 1
        node.load += 1
        self.total += 1
        node.accept.take(self.placed, now)
        most = node.report.connections_max if node.report is not None else 0
        if most and node.load >= most:
            node.refresh()
        elif node.ready:
            node.full = (node.load * node.inflation + 1) / node.weight
            self._pace(node, now)

    def unplace(self, node: NodeLoad) -> None:
        """Give that place up: the client could not be sent there."""
        self.ledger.release(node.name)
        node.own = self.ledger.count(node.name)
        node.accept.untake()
        self.refresh(node)

    def arrived(self, node: NodeLoad) -> None:
        """Count a connection at a node that does not report: a static backend, whose relays the gateway counts."""
        self.ledger.release(node.name)
        node.own = self.ledger.count(node.name)
        node.connections += 1
        self.refresh(node)

    def departed(self, node: NodeLoad) -> None:
        """Count the end of such a connection."""
        node.connections -= 1
        self.refresh(node)

    def wake(self, now: float) -> None:
        """Let nodes that were paced take newcomers again whose turn has come. Call it before each pick."""
        heap = self._paced_by_share
        while heap and heap[0][0] <= self.placed:
            self._unpace(heappop(heap)[1], now)
        heap = self._paced_by_rate
        while heap and heap[0][0] <= now:
            self._unpace(heappop(heap)[1], now)

    def tick(self, now: float) -> None:
        """Let places end whose time has passed, and reports grow old; call it a few times a second."""
        self.ledger.expire(now)
        self._claims.expire(now)
        self.panic = self.ages and self._fresh_weight(now) < PANIC_BELOW * self.weights
        for node in self.nodes.values():
            own = self.ledger.count(node.name)
            if self._age(node, now) or own != node.own:
                node.own = own
                self.refresh(node)

    def suspects(self, now: float) -> list[NodeName]:
        """The nodes whose last report is so old that something is wrong: with them, or with us."""
        if not self.ages:
            return []
        return [node.name for node in self.nodes.values() if now - node.heard_at > STALE * REPORT_S]

    def set_trims(self, trims: dict[NodeName, float]) -> None:
        """Multiply the nodes' weights by `trims`; nodes that it does not name keep their own weight."""
        changed = False
        for node in self.nodes.values():
            trim = trims.get(node.name, 1.0)
            changed = changed or trim != node.trim
            node.trim = trim
        if changed:
            self._rebuild()

    def set_gates(self, gates: dict[NodeName, str]) -> None:
        """Bar the nodes that `gates` names, each with its reason; open all others."""
        for node in self.nodes.values():
            gate = gates.get(node.name, "")
            if gate != node.gate:
                node.gate = gate
                self.refresh(node)

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

    def refresh(self, node: NodeLoad) -> None:
        """Recompute `node` and the sums that it is part of."""
        before = node.load
        node.refresh()
        if node.state is NodeState.ACTIVE and node.weight > 0:
            self.total += node.load - before

    def _replace(self, report: Report) -> NodeLoad:
        """Begin anew with a node that was not known, or under another incarnation. What it took part in stays so."""
        before = self.nodes.get(report.name)
        node = self.nodes[report.name] = NodeLoad(report.name, report.incarnation)
        node.others = self._held_by_others(report.name)
        if before is not None:
            node.trim, node.gate = before.trim, before.gate
        return node

    def _pace(self, node: NodeLoad, now: float) -> None:
        """Let `node` wait where it has had its share, or all that it can take, for the moment."""
        accept = node.accept
        share_ready = accept.share_ready()
        if share_ready > self.placed:
            accept.paced = True
            heappush(self._paced_by_share, (share_ready, node.name))
        elif accept.interval_s and accept.time_ready() > now:
            accept.paced = True
            heappush(self._paced_by_rate, (accept.time_ready(), node.name))
        if accept.paced:
            node.full = inf

    def _unpace(self, name: NodeName, now: float) -> None:
        node = self.nodes.get(name)
        if node is None or not node.accept.paced:
            return
        accept = node.accept
        if accept.interval and accept.share_ready() > self.placed:
            heappush(self._paced_by_share, (accept.share_ready(), name))
        elif accept.interval_s and accept.time_ready() > now:
            heappush(self._paced_by_rate, (accept.time_ready(), name))
        else:
            accept.paced = False
            node.measure()

    def _fresh_weight(self, now: float) -> float:
        return sum(node.weight for node in self.eligible if now - node.heard_at <= DEAD * REPORT_S)

    def _age(self, node: NodeLoad, now: float) -> bool:
        """Judge `node` by the age of its report; return whether that changed anything."""
        if not self.ages:
            return False
        age = now - node.heard_at
        stale = age > STALE * REPORT_S and not self.panic
        inflation = 1.0 + age / (10.0 * REPORT_S) if stale else 1.0
        why = f"not heard for {age:.1f} s" if stale and age > DEAD * REPORT_S else ""
        changed = inflation != node.inflation or bool(why) != bool(node.stale)
        node.inflation = inflation
        node.stale = why
        return changed

    def _gateway_reported(self, report: Report) -> None:
        known = report.name in self._gateways
        self._gateways[report.name] = report
        if not known:
            self._limit_all()

    def _limit(self, node: NodeLoad) -> None:
        share = node.weight / self.weights if self.weights > 0 else 0.0
        node.accept.limit(share, node.report.accept_per_s if node.report else 0.0, max(1, len(self._gateways)))

    def _limit_all(self) -> None:
        for node in self.eligible:
            self._limit(node)

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
                self.refresh(node)

    def _held_by_others(self, name: NodeName) -> int:
        return sum(report.reserved.get(name, 0) for report in self._reserved_by.values())

    def _settle_claims(self, report: Report) -> None:
        """Drop the claims whose places have ended, as the donor says: those that it gave, less those it still holds."""
        for target, given in report.moved.items():
            ended = given - report.reserved.get(target, 0)
            self._claims.redeemed((Issuer(report.incarnation), target), report.incarnation, ended)

    def _rebuild(self) -> None:
        for node in self.nodes.values():
            node.weight = node.weight_own * node.trim
            node.refresh()
        known = (self.nodes[name] for name in sorted(self.nodes))
        self.eligible = [node for node in known if node.state is NodeState.ACTIVE and node.weight > 0]
        self.total = sum(node.load for node in self.eligible)
        self.weights = sum(node.weight for node in self.eligible)
        self._limit_all()
        self.version += 1
