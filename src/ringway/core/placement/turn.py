"""Ties: the order among nodes that are equally good.

Values that differ by less than `SAME`, relatively, are equal: they may have been computed in different ways. Among
equal nodes it is the turn of the node whose last newcomer is longest ago for its weight (`LoadView` has the turns), so
that turns are in proportion to weights; the order of a list never decides.
"""

from collections.abc import Sequence
from math import inf

from ringway.core.load import NodeLoad

SAME = 1e-9


def best_of(nodes: Sequence[NodeLoad], values: Sequence[float]) -> int:
    """Return the index of the node with the smallest value; among equal values that of the node whose turn it is."""
    best = 0
    for index in range(1, len(nodes)):
        value, least = values[index], values[best]
        better = least - value > SAME * abs(value)
        if better or (value - least <= SAME * abs(least) and nodes[index].turn < nodes[best].turn):
            best = index
    return best


def best_of_alike(nodes: Sequence[NodeLoad], values: Sequence[float], within: float) -> int:
    """Return the index of the least full node among the nodes whose values are within a share of the smallest value.

    For measured numbers: a small difference means nothing.
    """
    most = min(values) * (1.0 + within)
    return best_of(nodes, [node.full if value <= most else inf for node, value in zip(nodes, values, strict=True)])
