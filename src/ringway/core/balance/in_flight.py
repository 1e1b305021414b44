"""Orders that were given and not yet carried out, and the standings that count them as done.

A donor spreads an order over a second and is heard of a second later; meanwhile its report still shows the
connections, and the target's does not. From the donor's close on, the donor's own ledger holds the place at the
target (`core.load.reservation`), until the client has arrived. Between order and close it is this ledger that knows.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from ringway.core.balance.share import NodeSnapshot
from ringway.core.load import NodeLoad
from ringway.core.load.reservation import Ledger
from ringway.types import NodeName, NodeState

Pair = tuple[NodeName, NodeName]

FORGOTTEN_S = 10.0
"""An order of which nothing was heard for this long was not carried out. Reports may be five seconds late."""


class InFlightMoves:
    """The moves that one balancer has ordered. `now` is monotonic."""

    def __init__(self, ttl_s: float = FORGOTTEN_S) -> None:
        self._ledger = Ledger[Pair](ttl_s)

    def ordered(self, donor: NodeName, target: NodeName, count: int, now: float) -> None:
        """Remember that `donor` took an order to move `count` connections to `target`."""
        for _ in range(count):
            self._ledger.hold((donor, target), now)

    def standings(self, nodes: Iterable[NodeLoad], now: float) -> list[NodeSnapshot]:
        """Return the nodes as they will be when all orders are carried out."""
        reporting = [node for node in nodes if node.report is not None]
        self._look(reporting, now)
        leaving: dict[NodeName, int] = {}
        coming = self.coming()
        for (donor, _), count in self._ledger.held().items():
            leaving[donor] = leaving.get(donor, 0) + count
        avoided = {name for node in reporting if node.state is NodeState.DRAINING for name in _avoided_by(node)}
        standings = [_standing(node, leaving.get(node.name, 0), coming.get(node.name, 0)) for node in reporting]
        return [replace(node, avoided=True) if node.name in avoided else node for node in standings]

    def coming(self) -> dict[NodeName, int]:
        """Return how many connections are ordered to each node and were not sent yet, as of the last `standings`."""
        coming: dict[NodeName, int] = {}
        for (_, target), count in self._ledger.held().items():
            coming[target] = coming.get(target, 0) + count
        return coming

    def _look(self, reporting: list[NodeLoad], now: float) -> None:
        self._ledger.expire(now)
        for node in reporting:
            for target, total in node.report.moved.items() if node.report else ():
                self._ledger.redeemed((node.name, target), node.incarnation, total)


def _avoided_by(node: NodeLoad) -> tuple[NodeName, ...]:
    return node.report.drain_avoid if node.report is not None else ()


def _standing(node: NodeLoad, leaving: int, coming: int) -> NodeSnapshot:
    report = node.report
    assert report is not None
    load = max(0, node.load - leaving + coming)
    room = max(0, report.connections_max - load) if report.connections_max else math.inf
    return NodeSnapshot(
        name=node.name,
        weight=node.weight,
        load=load,
        movable=max(0, node.connections - leaving),
        active=node.state is NodeState.ACTIVE,
        cooling=report.cooling,
        room=0 if node.barred else room,
        zone=report.zone,
    )
