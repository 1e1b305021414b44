"""View of the cluster from which every policy picks: the effective load of nodes, and which nodes may get newcomers.

    load = connections + pending (both reported) + places held by this issuer + places of other members (reported)

The load belongs to the view, not to a policy: a change of policy at any time loses no state. The view is rebuilt from
reports within a second after a restart. Entries are updated by each report and placement, so that a pick reads plain
attributes: a pick computes and copies nothing.

Nodes that may get newcomers
- *Eligible* are the active nodes of positive weight; with `knocks` those that have answered a knock at their URL
  (`core.knock`). Policies derive what they need from these, by `version`.
- An eligible node is *barred* while it may get no newcomers: it is at its maximum, was silent for long, or is barred by
  an external measure (`core.custom.gate`). It is *paced* while it has got enough newcomers for the moment
  (`slow_start`). In both cases its fullness is infinity, so that policies need no further check.
- Reports of more than `STALE` periods ago are still used, and inflated: later arrivals are unknown. After `DEAD`
  periods the node is barred. If less than half of the weight would be left, this process is more likely cut off than
  half of the cluster dead, and the age of reports is ignored (*panic*).
- Among equal nodes it is the *turn* of the node whose last newcomer is longest ago, for its weight: each placement
  moves the node's turn on by 1 / weight. The order of a list never decides.
"""

from bisect import bisect_left
from collections.abc import Iterable
from heapq import heappop, heappush
from operator import attrgetter
from zlib import crc32

from ringway.core.clock_skew import why_barred
from ringway.core.load.arrival import Arrivals
from ringway.core.load.claim import Claims
from ringway.core.load.holding import Holdings
from ringway.core.load.node import DEAD, STALE, NodeLoad
from ringway.core.load.reservation import Ledger
from ringway.core.reporting import REPORT_S
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

PANIC_BELOW = 0.5
"""The part of the active nodes' weight below which the age of reports is ignored."""

NOT_KNOCKED = "has not answered the gateway's first knock yet"
"""The doubt about a node that was just heard of."""


class LoadView:
    """The nodes and their effective load, as one issuer of tickets sees them. `now` is monotonic.

    Invariants: `eligible` holds exactly the nodes that are `NodeLoad.eligible`, in the order of their names; `version`
    grows whenever `eligible` or a weight in it changes, so that policies know when to rebuild what they derive from it;
    `total` and `weights` are the sums of load and of weight over `eligible`. `takers` are the eligible nodes that are
    not barred, and `takers_version` grows whenever they change. `members_version` grows whenever a node comes or goes,
    or reports another incarnation, state or weight.
    """

    def __init__(self, issuer: Issuer, ledger: Ledger[NodeName] | None = None, *, ages: bool = True) -> None:
        self.issuer = issuer
        self._own = Incarnation(issuer)  # of this process
        self.ledger = ledger or Ledger[NodeName]()
        self.ages = ages  # False where nodes do not report, but are counted here
        self.knocks = False  # True if nodes are in doubt until they have answered a knock
        self.nodes: dict[NodeName, NodeLoad] = {}
        self.eligible: list[NodeLoad] = []
        self.group = ""  # its group, if that is known to have backends, which an operator can add
        self.version = self.takers_version = self.members_version = 0
        self.total = 0
        self.weights = 0.0
        self.placed = 0  # placements made here
        self.arrivals = Arrivals()  # filled by the parts that need them
        self.now = 0.0  # of the last `wake` or `tick`
        self.panic = False
        self._takers: list[NodeLoad] = []
        self._takers_weight = 0.0
        self._takers_changed = False
        self._turn = 0.0  # virtual time: the turn of a node that always got its fair share
        self._finish = 0.0  # virtual time of the placements that were made while all nodes were paced
        self._gateways: dict[NodeName, Report] = {}
        self._holdings = Holdings()
        self._claims = Claims()
        self._paced_by_share: list[tuple[float, NodeName]] = []  # heaps of nodes by the time at which they may be ready
        self._paced_by_rate: list[tuple[float, NodeName]] = []

    def reported(self, report: Report, now: float) -> None:
        """Read the report of a node or of a gateway."""
        node = self.nodes.get(report.name)
        last = node.report if node is not None else None
        if node is not None and last is not None and node.is_next(report):  # nearly all reports
            if report.reserved or last.reserved:
                self._read_places(report)
            if report.moved or self._claims.targets:
                self._claims.settle(report)
            if report.taken is not last.taken:  # in calm a beat says nothing of tickets
                self._read_tickets(node, last, report)
            node.read_counts(report, now)
            self.refresh(node)
            return
        self._read_places(report)
        if report.role is not Role.NODE:
            self._gateways[report.name] = report
        else:
            self._read_change(node, report, now)

    def _read_change(self, node: NodeLoad | None, report: Report, now: float) -> None:
        """Read the report of a node that is new, or reports a new URL, state or weight."""
        last = node.report if node is not None else None
        self._claims.settle(report)
        was_eligible = node is not None and node.eligible
        if node is None or node.incarnation != report.incarnation:
            node, last = self._replace(report, now), None  # it has redeemed no ticket before its first report
        self._read_tickets(node, last, report)
        if self.knocks and (last is None or last.url != report.url):
            node.doubt = NOT_KNOCKED
        node.read_counts(report, now)
        self.members_version += 1
        node.state = report.state
        node.weight_own = report.weight
        node.weight = node.weight_own * node.trim
        if was_eligible or node.eligible:
            self._list_again(report.name)
        else:
            self.refresh(node)

    def _read_places(self, member: Report) -> None:
        if member.incarnation != self._own:  # `NodeLoad.own` counts the places of this process
            self._add_others(self._holdings.told(member))

    def _read_tickets(self, node: NodeLoad, last: Report | None, report: Report) -> None:
        """Read the tickets redeemed since the report `last`."""
        self.ledger.redeemed(report.name, report.incarnation, report.taken.get(self.issuer, 0))
        if last is not None:
            node.others += self._holdings.redeemed(report, last)
        node.own = self.ledger.count(report.name)

    def forgotten(self, report: Report) -> None:
        """Drop a member that has left."""
        self._add_others(self._holdings.gone(report.name))
        self._claims.forget(report)
        if report.role is not Role.NODE:
            self._gateways.pop(report.name, None)
        elif (node := self.nodes.pop(report.name, None)) is not None:
            self.ledger.forget(report.name)
            self.members_version += 1
            if node.eligible:
                self._list_again(report.name)

    @property
    def gateways(self) -> int:
        """The number of gateways that place clients, with this gateway."""
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
            self.count_turn(here)
            self._count_pace(here, now)
        self.refresh(here)

    def unplace(self, node: NodeLoad) -> None:
        """Release the place: the client could not be sent there."""
        self.ledger.release(node.name)
        here = self.nodes.get(node.name)
        if here is not None:
            here.own = self.ledger.count(here.name)
            here.accept.uncount_newcomer()
            if here.accept.paced:
                self._pace(here, self.now)
            self.refresh(here)

    def arrived(self, node: NodeLoad) -> None:
        """Count a connection at a node that does not report: where clients are placed without any moves."""
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
        """End places whose time has passed, and check the age of reports; call it a few times a second."""
        self.now = now
        ended = self.ledger.expire(now)
        self._claims.expire(now)
        fresh = sum(node.weight for node in self.eligible if now - node.heard_at <= DEAD * REPORT_S)
        self.panic = self.ages and fresh < PANIC_BELOW * self.weights
        old = now - STALE * REPORT_S
        for node in self.nodes.values():
            if node.heard_at >= old and not ended and node.inflation == 1.0:
                continue  # most nodes are heard in time
            own = self.ledger.count(node.name)
            aged = self.ages and node.update_age(now, panic=self.panic)
            if aged or own != node.own:
                node.own = own
                self.refresh(node)

    def takers(self) -> list[NodeLoad]:
        """Return the eligible nodes that are not barred, in the order of their names; the list is cached."""
        if self._takers_changed:
            self._takers_changed = False
            self._takers = [node for node in self.eligible if not node.barred]
            self._takers_weight = sum(node.weight for node in self._takers)
        return self._takers

    def suspects(self, now: float) -> list[NodeName]:
        """The nodes whose last report is so old that something is wrong: with them, or with this process."""
        since = now - STALE * REPORT_S
        return [node.name for node in self.nodes.values() if self.ages and node.heard_at < since]

    def set_trims(self, trims: dict[NodeName, float]) -> None:
        """Multiply the nodes' weights by `trims`; a node without an entry has its own weight."""
        changed = False
        for node in self.nodes.values():
            trim = trims.get(node.name, 1.0)
            changed = changed or trim != node.trim
            node.trim = trim
        if changed:
            self._rebuild()

    def set_gates(self, gates: dict[NodeName, str]) -> None:
        """Bar the nodes that `gates` names, each with its reason; open the rest."""
        for node in self.nodes.values():
            gate = gates.get(node.name, "")
            if gate != node.gate:
                node.gate = gate
                self.refresh(node)

    def doubt(self, name: NodeName, why: str) -> None:
        """Note why the node `name` has not answered a knock."""
        node = self.nodes[name]
        was_eligible, node.doubt = node.eligible, why
        if was_eligible:
            self._list_again(name)
        else:
            node.refresh()

    def believe(self, names: Iterable[NodeName]) -> None:
        """Record that these nodes have answered a knock: they are not in doubt and not ejected any more."""
        trusted = []
        for name in names:
            node = self.nodes[name]
            if node.doubt:
                trusted.append(node)
            node.ejected = ""
            self.refresh(node)
        for node in trusted:
            node.doubt = ""
            node.refresh()
        if trusted:
            added = [node for node in trusted if node.eligible]
            self._list(sorted([*self.eligible, *added], key=attrgetter("name")))

    def eject(self, name: NodeName, why: str) -> None:
        """Take the node `name` out, because handshakes fail there (`core.outlier`): it is barred until `believe`.

        An empty `why` ends the ejection; a doubt about the node stays.
        """
        node = self.nodes[name]
        node.ejected = why
        self.refresh(node)

    def set_skew(self, name: NodeName, skew_s: float) -> None:
        """Note by how much the clock of the node `name` is ahead; a skew for which tickets do not allow bars it."""
        node = self.nodes[name]
        node.skew_s = skew_s
        clock = why_barred(skew_s)
        if bool(clock) != bool(node.clock):
            node.clock = clock
            self.refresh(node)

    def clock_difference_s(self, donor: NodeName, target: NodeName) -> float:
        """Return by how much the clock of the node `target` is ahead of that of `donor`, in whole milliseconds."""
        here, there = self.nodes.get(donor), self.nodes.get(target)
        return round(there.skew_s - here.skew_s, 3) if here is not None and there is not None else 0.0

    def claim(self, now: float) -> tuple[NodeLoad, Issuer] | None:
        """Return the node of a place that a donor holds for a moved client, and the donor; None without a usable place.

        It is for a client that came without its ticket (`core.load.claim`).
        """
        self._claims.expire(now)
        for issuer, target in self._claims.unclaimed(self._holdings.told_by()):
            node = self.nodes.get(target)
            if node is not None and node.state is NodeState.ACTIVE and not node.doubt:
                self._claims.claim(issuer, target, now)
                return node, issuer
        return None

    def refresh(self, node: NodeLoad) -> None:
        """Recompute `node` and the sums that it is part of."""
        load, barred = node.load, node.barred
        node.refresh()
        if node.state is NodeState.ACTIVE and node.weight > 0 and not node.doubt:
            self.total += node.load - load
            if bool(barred) != bool(node.barred):
                self._takers_changed = True
                self.takers_version += 1

    def _replace(self, report: Report, now: float) -> NodeLoad:
        """Add a node that is unknown, or replace a node by its new incarnation. Its turn and its limits stay."""
        before = self.nodes.get(report.name)
        node = self.nodes[report.name] = NodeLoad(report.name, report.incarnation)
        node.joined_at = now
        node.others = self._holdings.at(report.name)
        node.turn = self._turn + crc32(f"{self.issuer} {report.name}".encode()) / 2**32  # differs between gateways
        if before is not None:
            node.trim, node.gate = before.trim, before.gate
        return node

    def count_turn(self, node: NodeLoad) -> None:
        """Move the node's turn on. An absent node saves no turns, and a busy node owes one turn at most."""
        one = 1.0 / node.weight
        self._turn += 1.0 / max(self.weights, node.weight)
        node.turn = min(max(node.turn, self._turn), self._turn + one) + one

    def _count_pace(self, node: NodeLoad, now: float) -> None:
        """Count a newcomer against the node's share and rate; the node waits if it has got enough for the moment."""
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
        """Set the node's limits, which depend on the other nodes open to newcomers and on the number of gateways."""
        self.takers()
        share = node.weight / max(self._takers_weight, node.weight)
        node.accept.limit(share, node.report.accept_per_s if node.report else 0.0, self.gateways)

    def _pace(self, node: NodeLoad, now: float) -> None:
        """Decide if `node` waits, and until when."""
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
        node = self.nodes.get(name)  # marks of earlier incarnations are dropped
        if node is not None and node.accept.paced and node.accept.due == due:
            self._pace(node, now)
            node.refresh()

    def _add_others(self, changes: dict[NodeName, int]) -> None:
        for name, count in changes.items():
            if count and (node := self.nodes.get(name)) is not None:
                node.others += count
                self.refresh(node)

    def _rebuild(self) -> None:
        for node in self.nodes.values():
            node.weight = node.weight_own * node.trim
            node.refresh()
        known = (self.nodes[name] for name in sorted(self.nodes))
        self._list([node for node in known if node.eligible])

    def _list_again(self, name: NodeName) -> None:
        """Update `eligible` for one node that has come, changed or gone: a thousand nodes join one after the other."""
        node = self.nodes.get(name)
        at = bisect_left(self.eligible, name, key=attrgetter("name"))
        end = at + (at < len(self.eligible) and self.eligible[at].name == name)
        if node is not None:
            node.refresh()
        here = [node] if node is not None and node.eligible else []
        self._list([*self.eligible[:at], *here, *self.eligible[end:]])

    def _list(self, eligible: list[NodeLoad]) -> None:
        self.eligible = eligible
        self.total = sum(node.load for node in self.eligible)
        self.weights = sum(node.weight for node in self.eligible)
        self.version += 1
        self.takers_version += 1
        self._takers_changed = True
