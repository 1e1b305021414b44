"""Ties: who is next among nodes that are equally good.

Equal is what differs by less than `SAME`, relatively: numbers that were computed on different ways. Among equals it is
the turn of the node whose last newcomer is longest ago for its weight (`LoadView` keeps the turns), so that they take
their turns in proportion to their weights; never that of the first in a list.
"""

from collections.abc import Sequence

from ringway.core.load import NodeLoad

SAME = 1e-9


def best_of(nodes: Sequence[NodeLoad], values: Sequence[float]) -> int:
    """Return the index of the node with the smallest value, of those with equal ones that whose turn it is."""
    best = 0
    for index in range(1, len(nodes)):
        value, least = values[index], values[best]
        better = least - value > SAME * abs(value)
        if better or (value - least <= SAME * abs(least) and nodes[index].turn < nodes[best].turn):
            best = index
    return best
