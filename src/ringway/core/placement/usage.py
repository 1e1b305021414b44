"""Usage of each node, carried forward from its last report; for `least_loaded`.

Nodes report their use of resources as a share of the healthy maximum: CPU, memory, descriptors, lag of the event loop,
egress. The worst counts. It describes the time of the report, so it is carried forward by the places held since: each
place adds the average cost of a connection of that node, smoothed over reports.

A node that reports no utilisation, or whose first utilisation is younger than `BLACKOUT_S`, counts as the median of the
other nodes, never as idle: with zero it would attract every client.
"""

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.median import Median
from ringway.protocol.report import Report
from ringway.types import NodeName

BLACKOUT_S = 10.0
"""The time after which measurements of a new node count: earlier ones are distorted by its start."""

EXPIRES_S = 180.0
"""The age from which a utilisation is ignored (gRPC A58). It matters when ages of reports are ignored, in panic."""

_COST_WEIGHT = 0.3  # of the newest report in a node's cost of a connection


class _Usage:
    """One incarnation of a node, from report to report."""

    __slots__ = ("cost", "incarnation", "report", "since", "used")

    def __init__(self, node: NodeLoad) -> None:
        self.incarnation = node.incarnation
        self.report: Report | None = None
        self.used: float | None = None  # the used share of the scarcest resource; None: unknown
        self.cost: float | None = None  # the cost of one connection
        self.since = node.joined_at  # the time at which the usage became known

    def update(self, node: NodeLoad) -> None:
        """Read the node's newest report."""
        first, gone = self.report is None, self.used is None
        report = self.report = node.report
        if report is None or not report.utilisation:
            self.used = self.cost = None
            return
        self.used = max(report.utilisation.values())
        cost = self.used / max(report.connections, 1)
        self.cost = cost if self.cost is None else self.cost + _COST_WEIGHT * (cost - self.cost)
        if gone and not first:
            self.since = node.heard_at


class Usages:
    """The usage of all nodes; a report is read when its node is first asked for."""

    __slots__ = ("_cost", "_nodes", "_now", "_used", "_version")

    def __init__(self) -> None:
        self._nodes: dict[NodeName, _Usage] = {}
        self._version = -1
        self._now = 0.0
        self._used = Median(lambda node: usage.used if (usage := self._ripe(node)) else None)
        self._cost = Median(lambda node: usage.cost if (usage := self._ripe(node)) else None)

    def expected(self, view: LoadView, node: NodeLoad) -> float:
        """Return the used share of `node` once all clients on the way have arrived."""
        self._now = view.now
        if view.version != self._version:
            self._version = view.version
            self._nodes = {name: usage for name, usage in self._nodes.items() if name in view.nodes}
        usage = self._ripe(node)
        if usage is None or usage.used is None or usage.cost is None:
            used, cost = self._used.of(view), self._cost.of(view)
        else:
            used, cost = usage.used, usage.cost
        return used + (node.own + node.others) * cost

    def _ripe(self, node: NodeLoad) -> _Usage | None:
        """Return the usage of `node`; None if it is too young or too old."""
        usage = self._nodes.get(node.name)
        if usage is None or usage.incarnation != node.incarnation:
            usage = self._nodes[node.name] = _Usage(node)
        if usage.report is not node.report:
            usage.update(node)
        known = usage.used is not None and self._now - node.heard_at <= EXPIRES_S
        return usage if known and self._now >= usage.since + BLACKOUT_S else None
