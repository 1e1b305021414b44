"""Least connected: the node that is least full for its weight, by effective load.

It is exact. Therefore it suffers most from late reports, and would flood a node that joins empty. The places that
gateways hold (`core.load.reservation`) and the pace of a node (`core.load.slow_start`) make it safe.
"""

from math import inf
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import SAME

if TYPE_CHECKING:
    from random import Random

_FULLEST = 1e300
"""A bound below infinity, the fullness of nodes that may get no newcomers."""


class LeastConnected:
    """Places at the node with the least load for its weight."""

    name: ClassVar[str] = "least-connected"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the node that is least full for its weight"
    measure: ClassVar[str] = "(load + 1) / weight"
    table = ""

    def __init__(self, options: Options | None = None, secret: bytes = b"") -> None:
        pass

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. One pass over all nodes: some microseconds for a hundred. Ties as in `turn`."""
        best = None
        low = high = _FULLEST
        turn = inf
        for node in view.takers():
            full = node.full
            if full <= high:
                if full < low:
                    best, turn = node, node.turn
                    low, high = full * (1.0 - SAME), full * (1.0 + SAME)
                elif node.turn < turn:
                    best, turn = node, node.turn
        if best is None:
            return last_resort(view, count)
        return Pick(with_alternates(view, [best], count, rng), view.takers())

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return node.full
