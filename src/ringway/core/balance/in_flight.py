"""Orders that were given and not yet carried out, and snapshots of the nodes that count them as done.

A donor spreads an order over a second, and its next report comes a second later; until then its report still shows the
connections, and the target's report does not. From the donor's close on, the donor's own ledger holds the place at the
target (`core.load.reservation`), until the client has arrived. From the order to the close, this table counts the move.
"""

import math
from collections.abc import Iterable

from ringway.core.balance.share import NodeSnapshot
from ringway.core.load import NodeLoad
from ringway.core.load.reservation import Ledger
from ringway.protocol.report import Report
from ringway.types import NodeName, NodeState

Pair = tuple[NodeName, NodeName]

FORGOTTEN_S = 10.0
"""An order that no report has confirmed for this long was not carried out. Reports may be five seconds late."""


class InFlightMoves:
    """The moves that one balancer has ordered. `now` is monotonic."""

    def __init__(self, ttl_s: float = FORGOTTEN_S) -> None:
        self._ledger = Ledger[Pair](ttl_s)
        self._reporting: list[NodeLoad] = []  # as of the last `observe`
        self._reports: dict[NodeName, Report] | None = None  # theirs, once one was needed

    def ordered(self, donor: NodeName, target: NodeName, count: int, now: float) -> None:
        """Remember that `donor` accepted an order to move `count` connections to `target`."""
        if not self._ledger.count((donor, target)):
            self._count_done(donor, target)  # moves that were made before this order do not count for it
        self._ledger.hold((donor, target), now, count=count)

    def standings(self, nodes: Iterable[NodeLoad], now: float) -> list[NodeSnapshot]:
        """Return the nodes as they will be when all orders are carried out."""
        reporting = self.observe(nodes, now)
        leaving: dict[NodeName, int] = {}
        coming = self.coming()
        for (donor, _), count in self._ledger.held().items():
            leaving[donor] = leaving.get(donor, 0) + count
        avoided = {name for node in reporting if node.state is NodeState.DRAINING for name in _avoided_by(node)}
        if not leaving and not avoided:  # most of the time, with a thousand nodes each second
            return [_standing(node, node.load, node.connections) for node in reporting]
        return [
            _standing(
                node,
                max(0, node.load - leaving.get(node.name, 0) + coming.get(node.name, 0)),
                max(0, node.connections - leaving.get(node.name, 0)),
                avoided=node.name in avoided,
            )
            for node in reporting
        ]

    def pairs(self) -> dict[Pair, int]:
        """Return, by donor and target, what is ordered and not sent yet, as of the last `observe`."""
        return self._ledger.held()

    def coming(self) -> dict[NodeName, int]:
        """Return, by target, the connections that are ordered and not sent yet, as of the last `observe`."""
        coming: dict[NodeName, int] = {}
        for (_, target), count in self._ledger.held().items():
            coming[target] = coming.get(target, 0) + count
        return coming

    def observe(self, nodes: Iterable[NodeLoad], now: float) -> list[NodeLoad]:
        """Read in the nodes' reports which orders are carried out; return the nodes that have reported."""
        reporting = [node for node in nodes if node.report is not None]
        self._ledger.expire(now)
        self._reporting, self._reports = reporting, None
        for donor, target in self._ledger.held():
            self._count_done(donor, target)
        return reporting

    def _count_done(self, donor: NodeName, target: NodeName) -> None:
        """Read how many moves the donor has made. Pairs without an order are read when there is an order again."""
        if self._reports is None:
            self._reports = {node.name: node.report for node in self._reporting if node.report is not None}
        report = self._reports.get(donor)
        if report is not None and target in report.moved:
            self._ledger.redeemed((donor, target), report.incarnation, report.moved[target])


def _avoided_by(node: NodeLoad) -> tuple[NodeName, ...]:
    return node.report.drain_avoid if node.report is not None else ()


def _standing(node: NodeLoad, load: int, movable: int, *, avoided: bool = False) -> NodeSnapshot:
    report = node.report
    assert report is not None
    most = report.connections_max
    if node.barred:
        room: float = 0
    elif not most:
        room = math.inf
    else:
        room = most - load if most > load else 0
    active = node.state is NodeState.ACTIVE
    return NodeSnapshot(node.name, node.weight, load, movable, active, report.cooling, room, report.zone, avoided)
