"""View of the cluster that every policy picks from: the effective load of nodes, and which may be given more.

    load = connections + pending (both reported) + places held by this issuer + places held by others (reported)

It belongs to the view, not to a policy: a policy may be exchanged at any time and loses nothing. It is rebuilt from
reports within a second after a restart. Entries are kept up to date as reports and placements come in, so that a pick
reads plain attributes: nothing is computed or copied per pick.

Who may be given more
- *Eligible* are the active nodes of positive weight. Policies derive what they need from these, by `version`.
- An eligible node is *barred* while it may take nobody: it is at its maximum, was not heard for long, or an external
  measure says so (`core.custom.gate`). It is *paced* while it has been given enough for the moment (`accept`).
  Both show as a fullness of infinity, so that no policy has to ask.
- Reports of more than `STALE` periods ago are still used, and inflated: what has come since is unknown. After `DEAD`
  periods the node is barred. If that would leave less than half of the weight, this process is more likely blind than
  half of the cluster dead, and the age of reports is ignored (*panic*).
- Among equals it is the *turn* of the node whose last newcomer is longest ago, for its weight: each placement moves the
  node's turn on by 1 / weight. Nobody is preferred for where it stands in a list.
"""

from heapq import heappop, heappush
from math import inf
from zlib import crc32

from ringway.core.load.claim import Claims
from ringway.core.load.holding import Holdings
from ringway.core.load.reservation import Ledger
from ringway.core.load.response import Response
from ringway.core.load.slow_start import SlowStart
from ringway.core.reporting import REPORT_S
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

STALE = 3.0
DEAD = 5.0
PANIC_BELOW = 0.5
"""Of the active nodes' weight."""


class NodeLoad:
    """One node as a policy sees it."""

    __slots__ = (
        "accept", "barred", "connections", "full", "gate", "heard_at", "incarnation", "inflation", "joined_at", "load",
        "name", "others", "own", "pending", "problem", "report", "response", "stale", "state", "trim", "turn", "weight",
        "weight_own",
    )  # fmt: skip

    def __init__(self, name: NodeName, incarnation: Incarnation, weight: float = 1.0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.weight_own = weight  # as the node reports it; keys are placed by this one
        self.trim = 1.0  # the factor of the slow weight loop (core.custom.trim)
        self.weight = weight  # both together
        self.state = NodeState.ACTIVE
        self.connections = 0
        self.pending = 0
        self.own = 0  # places held by this issuer
        self.others = 0  # places held by other members
        self.load = 0
        self.full = 1.0 / weight if weight else inf  # with one more; the +1 lets weights count on idle nodes as well
        self.barred = ""  # why it may take nobody; empty: it may
        self.gate = ""  # why an external measure bars it; empty: it does not
        self.problem = ""  # why the check of a static backend failed; empty: it is up
        self.stale = ""  # why it is barred for the age of its report
        self.inflation = 1.0
        self.joined_at = 0.0
        self.heard_at = 0.0
        self.turn = 0.0  # the smallest is next among equals; see the module
        self.accept = SlowStart()
        self.response = Response()
        self.report: Report | None = None

    def __repr__(self) -> str:
        return f"NodeLoad({self.name} load={self.load} weight={self.weight})"

    @property
    def ready(self) -> bool:
        """True if it may be given a newcomer now."""
        return self.full != inf

    def able(self, now: float) -> bool:
        """True if it can take a newcomer now: for policies that give by turn or by key, and do not mind the share."""
        return self.full != inf or (not self.barred and self.weight > 0 and self.accept.time_ready() <= now)

    def refresh(self) -> None:
        """Recompute `load`, `barred` and `full` after one of their parts has changed."""
        self.load = self.connections + self.pending + self.own + self.others
        most = self.report.connections_max if self.report is not None else 0
        if most and self.load >= most:
            self.barred = f"holds {self.load} of at most {most}"
        else:
            self.barred = self.gate or self.stale
        if self.barred or self.accept.paced or self.weight <= 0:
            self.full = inf
        else:
            self.full = (self.load * self.inflation + 1) / self.weight


class LoadView:
    """The nodes and their effective load, as one issuer of tickets sees them. `now` is monotonic.

    Invariants: `eligible` holds exactly the active nodes of positive weight in the order of their names; `version`
    grows whenever `eligible` or a weight in it changes, so that policies know when to rebuild what they derive from it;
    `total` and `weights` are the sums of load and of weight over `eligible`. `takers` are the eligible nodes that are
    not barred, and `takers_version` grows whenever they change.
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
        self.takers_version = 0
        self.placed = 0  # placements made here
        self.now = 0.0  # of the last `wake` or `tick`
        self.panic = False
        self._takers: list[NodeLoad] = []
        self._takers_weight = 0.0
        self._takers_changed = False
        self._turn = 0.0  # virtual time: the turn of a node that was always given its fair share
        self._finish = 0.0  # virtual time of those placements that were made while all were paced
        self._gateways: dict[NodeName, Report] = {}
        self._holdings = Holdings()
        self._claims = Claims()
        self._paced_by_share: list[tuple[float, NodeName]] = []  # heaps of nodes by the time at which they may be ready
        self._paced_by_rate: list[tuple[float, NodeName]] = []

    def reported(self, report: Report, now: float) -> None:
        """Take the report of a node or of another gateway."""
        self._others_changed(report)
        if report.role is not Role.NODE:
            self._gateways[report.name] = report
            return
        self._claims.settle(report)
        node = self.nodes.get(report.name)
        fresh = node is None or node.incarnation != report.incarnation
        if node is None or fresh:
            node = self._replace(report, now)
        self.ledger.redeemed(report.name, report.incarnation, report.taken.get(self.issuer, 0))
        if node.report is not None:  # a new incarnation has redeemed nothing before its first report
            node.others += self._holdings.redeemed(report, node.report)
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
        else:
            self.refresh(node)
        self._claims.expire(now)

    def forgotten(self, report: Report) -> None:
        """Drop a member that has left."""
        for name, count in self._holdings.gone(report.name).items():
            self._add_others(name, count)
        self._claims.forget(report)
        if report.role is not Role.NODE:
            self._gateways.pop(report.name, None)
        elif self.nodes.pop(report.name, None) is not None:
            self.ledger.forget(report.name)
            self._rebuild()

    @property
    def gateways(self) -> int:
        """How many gateways place clients, this one included."""
        return max(1, len(self._gateways))

    def place(self, node: NodeLoad, now: float, wait_s: float = 0.0) -> None:
        """Hold a place at `node` for a client that comes there in `wait_s`; do nothing if the node has gone."""
        here = self.nodes.get(node.name)
        if here is None:
            return
        self.ledger.hold(here.name, now + wait_s)
        here.own += 1
        self.placed += 1
        if here.weight > 0:
            self._count_turn(here)
            self._count_pace(here, now)
        self.refresh(here)

    def unplace(self, node: NodeLoad) -> None:
        """Give that place up: the client could not be sent there."""
        self.ledger.release(node.name)
        here = self.nodes.get(node.name)
        if here is not None:
            here.own = self.ledger.count(here.name)
            here.accept.uncount_newcomer()
            if here.accept.paced:
                self._pace(here, self.now)
            self.refresh(here)

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
        """Let paced nodes whose time has come take newcomers again. Call it before each pick."""
        self.now = now
        heap = self._paced_by_share
        while heap and heap[0][0] <= self.placed:
            self._judge_pace(*heappop(heap), now)
        heap = self._paced_by_rate
        while heap and heap[0][0] <= now:
            self._judge_pace(*heappop(heap), now)

    def tick(self, now: float) -> None:
        """Let places end whose time has passed, and reports grow old; call it a few times a second."""
        self.now = now
        self.ledger.expire(now)
        self._claims.expire(now)
        fresh = sum(node.weight for node in self.eligible if now - node.heard_at <= DEAD * REPORT_S)
        self.panic = self.ages and fresh < PANIC_BELOW * self.weights
        for node in self.nodes.values():
            own = self.ledger.count(node.name)
            if self._age(node, now) or own != node.own:
                node.own = own
                self.refresh(node)

    def takers(self) -> list[NodeLoad]:
        """Return the eligible nodes that are not barred, in the order of their names; listed anew when that changed."""
        if self._takers_changed:
            self._takers_changed = False
            self._takers = [node for node in self.eligible if not node.barred]
            self._takers_weight = sum(node.weight for node in self._takers)
        return self._takers

    def suspects(self, now: float) -> list[NodeName]:
        """The nodes whose last report is so old that something is wrong: with them, or with this process."""
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
        """Return the place that a donor holds for a moved client, for one that came without its ticket; and the donor.

        See `claim`. Without one that can be used, return None.
        """
        for issuer, target in self._claims.unclaimed(self._holdings.told_by()):
            node = self.nodes.get(target)
            if node is not None and node.state is NodeState.ACTIVE:
                self._claims.claim(issuer, target, now)
                return node, issuer
        return None

    def refresh(self, node: NodeLoad) -> None:
        """Recompute `node` and the sums that it is part of."""
        load, barred = node.load, node.barred
        node.refresh()
        if node.state is NodeState.ACTIVE and node.weight > 0:
            self.total += node.load - load
            if bool(barred) != bool(node.barred):
                self._takers_changed = True
                self.takers_version += 1

    def _replace(self, report: Report, now: float) -> NodeLoad:
        """Begin anew with a node that is unknown, or has a new incarnation. Its turn and its limits stay."""
        before = self.nodes.get(report.name)
        node = self.nodes[report.name] = NodeLoad(report.name, report.incarnation)
        node.joined_at = now
        node.others = self._holdings.at(report.name)
        node.turn = self._turn + crc32(f"{self.issuer} {report.name}".encode()) / 2**32  # elsewhere at each gateway
        if before is not None:
            node.trim, node.gate = before.trim, before.gate
        return node

    def _count_turn(self, node: NodeLoad) -> None:
        """Move the node's turn on. An absent node saves no turns, and a node that got many owes one at most."""
        one = 1.0 / node.weight
        self._turn += 1.0 / max(self.weights, node.weight)
        node.turn = min(max(node.turn, self._turn), self._turn + one) + one

    def _count_pace(self, node: NodeLoad, now: float) -> None:
        """Count a newcomer against its share and its rate, and let it wait if it has had enough for the moment."""
        accept = node.accept
        self._limit(node)
        accept.count_newcomer(self.placed, now)
        if not accept.paced:
            self._pace(node, now)
        else:
            rate = node.report.accept_per_s if node.report is not None else 0.0
            begin = self._finish = max(accept.finish, self._finish)
            accept.finish = begin + 1.0 / (rate or node.weight)

    def _limit(self, node: NodeLoad) -> None:
        """Set the node's limits, which depend on the other nodes that take newcomers and on the number of gateways."""
        self.takers()
        share = node.weight / max(self._takers_weight, node.weight)
        node.accept.limit(share, node.report.accept_per_s if node.report else 0.0, self.gateways)

    def _pace(self, node: NodeLoad, now: float) -> None:
        """Decide whether `node` waits, and until when."""
        accept = node.accept
        share_ready = accept.share_ready()
        if share_ready > self.placed:
            accept.paced, accept.due = True, share_ready
            heappush(self._paced_by_share, (share_ready, node.name))
            return
        time_ready = accept.time_ready()
        accept.paced = time_ready > now
        if accept.paced:
            accept.due = time_ready
            heappush(self._paced_by_rate, (time_ready, node.name))

    def _judge_pace(self, due: float, name: NodeName, now: float) -> None:
        """Decide anew about a node whose time has come; marks of earlier incarnations are dropped."""
        node = self.nodes.get(name)
        if node is not None and node.accept.paced and node.accept.due == due:
            self._pace(node, now)
            node.refresh()

    def _age(self, node: NodeLoad, now: float) -> bool:
        """Judge `node` by the age of its report; return True if that changed anything."""
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

    def _others_changed(self, report: Report) -> None:
        if str(report.incarnation) == self.issuer:  # our own: `own` counts these places
            return
        for name, count in self._holdings.told(report).items():
            self._add_others(name, count)

    def _add_others(self, name: NodeName, count: int) -> None:
        node = self.nodes.get(name)
        if node is not None and count:
            node.others += count
            self.refresh(node)

    def _rebuild(self) -> None:
        for node in self.nodes.values():
            node.weight = node.weight_own * node.trim
            node.refresh()
        known = (self.nodes[name] for name in sorted(self.nodes))
        self.eligible = [node for node in known if node.state is NodeState.ACTIVE and node.weight > 0]
        self.total = sum(node.load for node in self.eligible)
        self.weights = sum(node.weight for node in self.eligible)
        self.version += 1
        self.takers_version += 1
        self._takers_changed = True
