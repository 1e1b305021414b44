"""Round robin, weighted: smooth, so that a heavy node's turns are spread between the others'.

Each pick adds every node's weight to its credit, takes the node with the most, and charges it the total (nginx's
smooth weighted round robin). Fair in arrivals, not in what nodes hold: connections that live long stay where they are.
"""

from collections.abc import Sequence
from operator import add
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, alternates, last_resort
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random


class RoundRobin:
    """See the module. Several gateways begin at random phases, so that they do not march in step."""

    name: ClassVar[str] = "round-robin"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the node with the most credit"
    measure: ClassVar[str] = "minus the credit"
    table = ""

    def __init__(self, options: Options | None = None, secret: bytes = b"") -> None:
        self._version = -1
        self._names: list[NodeName] = []
        self._weights: list[float] = []
        self._credit: list[float] = []  # all three in the order of `view.eligible`
        self._total = 0.0

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`."""
        nodes = view.eligible
        if view.version != self._version:
            self._members_changed(nodes, rng)
            self._version = view.version
        credit = self._credit = list(map(add, self._credit, self._weights))
        for index in sorted(range(len(nodes)), key=lambda index: -credit[index]):
            best = nodes[index]
            if best.ready:
                credit[index] -= self._total
                return Pick([best, *alternates(nodes, best, count - 1, rng)], nodes)
        return last_resort(view, count)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return -self._credit[self._names.index(node.name)] if node.name in self._names else 0.0

    def _members_changed(self, nodes: Sequence[NodeLoad], rng: "Random") -> None:
        """Let survivors keep their credit; a newcomer to a running cycle begins at zero."""
        kept = dict(zip(self._names, self._credit, strict=True))
        begins = self._version < 0
        self._names = [node.name for node in nodes]
        self._weights = [node.weight for node in nodes]
        self._credit = [rng.uniform(0.0, node.weight) if begins else kept.get(node.name, 0.0) for node in nodes]
        self._total = sum(self._weights)
