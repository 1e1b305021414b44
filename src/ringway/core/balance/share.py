"""Fair shares: how many connections each node should hold, given how much it may.

The share of a node is `K w / W`: its weight's part of all connections. If that is more than a node may hold, it gets
as much as it may, and the other nodes share the rest by weight ("water filling"). Shares are rounded to whole
connections, so that donors' excess and targets' deficit match exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ringway.types import NodeName

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """One node as the planner sees it; moves in flight are counted as arrived."""

    name: NodeName
    weight: float
    load: int
    movable: int  # how many connections it can still be told to move away
    active: bool
    cooling: int = 0  # of these, how many stay for now: moved there a short while ago, or pinned
    room: float = math.inf  # how many more it may be given
    zone: str = ""
    avoided: bool = False  # it is to be drained next, so it should be given as few as can be

    @property
    def most(self) -> float:
        """How much it may hold."""
        return self.load + max(0.0, self.room)


def exact_shares(active: Sequence[NodeSnapshot], total: int) -> dict[NodeName, float]:
    """Share `total` among `active` by weight, each up to its most. The sum is less if all together may hold less."""
    shares = {node.name: 0.0 for node in active}
    open_ = [node for node in active if node.weight > 0]
    left = float(total)
    while open_:
        level = left / sum(node.weight for node in open_)
        full = [node for node in open_ if node.most < level * node.weight]
        for node in full or open_:
            shares[node.name] = node.most if full else level * node.weight
        if not full:
            break
        left -= sum(node.most for node in full)
        open_ = [node for node in open_ if node not in full]
    return shares


def fair_shares(active: Sequence[NodeSnapshot], total: int) -> dict[NodeName, int]:
    """Share `total` among `active` in whole connections, which add up to it if they may hold it."""
    return whole_shares(active, exact_shares(active, total))


def whole_shares(active: Sequence[NodeSnapshot], exact: dict[NodeName, float]) -> dict[NodeName, int]:
    """Round shares to whole connections that add up to as many.

    A share is rounded up first if the node holds more than it already, so that no move is made for a fraction; then if
    its fraction is largest.
    """
    shares = {name: math.floor(share + ROUNDING) for name, share in exact.items()}
    rest = math.floor(sum(exact.values()) + 1e-6) - sum(shares.values())

    def first_served(node: NodeSnapshot) -> tuple[bool, float, NodeName]:
        return node.load <= shares[node.name], shares[node.name] - exact[node.name], node.name

    weighty = [node for node in active if node.weight > 0]  # a node that is full has no fraction, so it comes last
    for node in sorted(weighty, key=first_served)[:rest]:
        shares[node.name] += 1
    return shares
