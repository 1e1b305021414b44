"""Round robin, weighted: smooth, so that a heavy node's turns are spread between the others'.

Each pick adds every node's weight to its credit, takes the node with the most, and charges it the total (nginx's
smooth weighted round robin). Fair in arrivals, not in what nodes hold: connections that live long stay where they are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import need_eligible
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random


class RoundRobin:
    """See the module. Several gateways begin at random phases, so that they do not march in step."""

    name: ClassVar[str] = "round-robin"
    keyed: ClassVar[bool] = False

    def __init__(self) -> None:
        self._version = -1
        self._credit: dict[NodeName, float] = {}
        self._total = 0.0

    def rank(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Sequence[NodeLoad]:
        """See `Policy.rank`. Alternates are those whose turn would come next."""
        nodes = need_eligible(view)
        if view.version != self._version:
            self._credit = {node.name: self._phase(node, rng) for node in nodes}
            self._total = sum(node.weight for node in nodes)
            self._version = view.version
        credit = self._credit
        best = nodes[0]
        most = float("-inf")
        for node in nodes:
            credit[node.name] = gained = credit[node.name] + node.weight
            if gained > most:
                most = gained
                best = node
        credit[best.name] -= self._total
        if count == 1:
            return (best,)
        others = sorted((node for node in nodes if node is not best), key=lambda node: -credit[node.name])
        return [best, *others[: count - 1]]

    def _phase(self, node: NodeLoad, rng: "Random") -> float:
        """A survivor keeps its credit when members change; a newcomer to a running cycle begins at zero."""
        if self._version < 0:
            return rng.uniform(0.0, node.weight)
        return self._credit.get(node.name, 0.0)
