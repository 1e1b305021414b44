"""Draws of distinct nodes by weight, without replacement: the nodes that a policy of few choices compares.

Drawing by weight and without replacement lets weights above 2/n count as well: two uniform draws give a node at most
2/n of all. A draw of a node that was drawn already, or may get no client now, is repeated, so the rest keeps its
proportions. If few nodes are ready, so that draws would take long, the ready nodes are searched instead.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from ringway.core.load import LoadView, NodeLoad

if TYPE_CHECKING:
    from random import Random

_TRIES = 4
"""Draws for each requested node, before the ready nodes are searched instead."""


class Draw:
    """Draws from cumulated weights of the nodes that are not barred."""

    __slots__ = ("_cumulated", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._cumulated: list[float] = []

    def draw(
        self, view: LoadView, count: int, rng: "Random", fits: Callable[[NodeLoad], bool] | None = None
    ) -> list[NodeLoad]:
        """Return up to `count` distinct nodes that are ready and fit; fewer if there are not enough."""
        nodes = view.takers()
        found: list[NodeLoad] = []
        if not nodes:
            return found
        if view.takers_version != self._version:
            self._cumulated = list(accumulate(node.weight for node in nodes))
            self._version = view.takers_version
        cumulated, last = self._cumulated, len(nodes) - 1
        total = cumulated[-1]
        for _ in range(_TRIES * count):
            node = nodes[bisect_right(cumulated, rng.random() * total, 0, last)]
            if node.full != inf and node not in found and (fits is None or fits(node)):
                found.append(node)
                if len(found) == count:
                    return found
        rest = [node for node in nodes if node.ready and node not in found and (fits is None or fits(node))]
        while rest and len(found) < count:
            node = rng.choices(rest, [other.weight for other in rest])[0]
            rest.remove(node)
            found.append(node)
        return found
