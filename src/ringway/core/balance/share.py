"""Fair shares: the number of connections that each node should hold, within its maximum.

The share of a node is `K w / W`: its weight's part of all connections. If that exceeds the node's maximum, its share is
the maximum, and the other nodes share the rest by weight ("water filling"). Shares are rounded to whole connections, so
that donors' excess and targets' deficit match exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ringway.types import NodeName

ROUNDING = 1e-9


@dataclass(slots=True)
class NodeSnapshot:
    """One node in the planner's view; moves in flight are counted as arrived.

    Nobody changes it. It is not `frozen`, since that makes it three times as slow to make, a thousand times a second.
    """

    name: NodeName
    weight: float
    load: int
    movable: int  # connections that it can still be ordered to move away
    active: bool
    cooling: int = 0  # the part of `movable` that stays for now: moved there a short while ago, or pinned
    room: float = math.inf  # the number of connections that it may still get
    zone: str = ""
    avoided: bool = False  # it is to be drained next, so it should get as few connections as possible

    @property
    def most(self) -> float:
        """The most connections that it may hold."""
        return self.load + max(0.0, self.room)


def exact_shares(active: Sequence[NodeSnapshot], total: int) -> dict[NodeName, float]:
    """Share `total` among `active` by weight, each up to its maximum. The sum is smaller if the maxima are reached."""
    shares = {node.name: 0.0 for node in active}
    open_ = [node for node in active if node.weight > 0]
    left = float(total)
    while open_:
        level = left / sum([node.weight for node in open_])
        full = [
            node for node in open_ if node.load + node.room < level * node.weight and node.load < level * node.weight
        ]
        if not full:
            shares.update([(node.name, level * node.weight) for node in open_])
            break
        shares.update([(node.name, node.most) for node in full])
        left -= sum(node.most for node in full)
        names = {node.name for node in full}
        open_ = [node for node in open_ if node.name not in names]
    return shares


def fair_shares(active: Sequence[NodeSnapshot], total: int) -> dict[NodeName, int]:
    """Share `total` among `active` in whole connections. They add up to `total`, unless all maxima are reached."""
    return whole_shares(active, exact_shares(active, total))


def whole_shares(active: Sequence[NodeSnapshot], exact: dict[NodeName, float]) -> dict[NodeName, int]:
    """Round shares to whole connections with the same sum.

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
