"""Orders that were given and not yet carried out, and the standings that count them as done.

A donor spreads an order over a second and is heard of a second later; meanwhile its report still shows the
connections, and the target's does not. From the donor's close on, the donor's own ledger holds the place at the
target (`core.reservation`), until the client has arrived. Between order and close it is this ledger that knows.
"""

from collections.abc import Iterable

from ringway.core.balance import Standing
from ringway.core.load import NodeLoad
from ringway.core.reservation import Ledger
from ringway.types import NodeName, NodeState

Pair = tuple[NodeName, NodeName]


class Flight:
    """What one balancer has ordered. `now` is monotonic."""

    def __init__(self, ttl_s: float = 5.0) -> None:
        self._ledger = Ledger[Pair](ttl_s)

    def ordered(self, donor: NodeName, target: NodeName, count: int, now: float) -> None:
        """Remember that `donor` took an order to move `count` connections to `target`."""
        for _ in range(count):
            self._ledger.hold((donor, target), now)

    def standings(self, nodes: Iterable[NodeLoad], now: float) -> list[Standing]:
        """Return how the nodes stand once everything ordered has happened."""
        self._ledger.expire(now)
        reporting = [node for node in nodes if node.report is not None]
        for node in reporting:
            for target, total in node.report.moved.items() if node.report else ():
                self._ledger.redeemed((node.name, target), node.incarnation, total)
        leaving: dict[NodeName, int] = {}
        coming: dict[NodeName, int] = {}
        for (donor, target), count in self._ledger.held().items():
            leaving[donor] = leaving.get(donor, 0) + count
            coming[target] = coming.get(target, 0) + count
        return [
            Standing(
                name=node.name,
                weight=node.weight,
                load=max(0, node.load - leaving.get(node.name, 0) + coming.get(node.name, 0)),
                movable=max(0, node.connections - leaving.get(node.name, 0)),
                cooling=node.report.cooling if node.report else 0,
                active=node.state is NodeState.ACTIVE,
            )
            for node in reporting
        ]
