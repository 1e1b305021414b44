"""Round robin: all nodes in turn. Weights do not matter, except that a node of weight 0 has no turns.

Each node's turns begin and end at even distances in virtual time, which moves on by 1 / n with each pick. Of the nodes
whose turn has begun, the node is chosen whose turn ends first (earliest eligible virtual deadline first: Stoica and
Abdel-Wahab 1995). So no node is ever a whole turn ahead or behind, with equal or unequal shares, and the turns of a
node with a large share are spread between the turns of the rest (`weighted_round_robin`).

A node that can serve no client is skipped: its turns go to all other nodes alike, not to its neighbour, and it does not
get them back. Arrivals are shared fairly, but not connections: a long connection stays at its node.
"""

from math import inf
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

_SAME = 1e-9
REBASE_AT = 1e5
"""The virtual time at which it is set back, so that it keeps its precision."""


class RoundRobin:
    """Places in turn. Each gateway begins at a random node of the cycle, so that gateways do not move in step."""

    name: ClassVar[str] = "round-robin"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the node whose turn it is, each as often as any other"
    measure: ClassVar[str] = "when its turn ends, in rounds from now"
    table = ""

    def __init__(self, options: Options | None = None, secret: bytes = b"") -> None:
        self._version = self._takers_version = -1
        self._step = 0.0  # the increment of virtual time a pick
        self._now = 0.0  # virtual time, in rounds
        self._nodes: list[NodeLoad] = []  # in a random order: ties must not follow names
        self._lasts: list[float] = []  # the length of each node's turns: 1 for an average share
        self._ends: list[float] = []  # the end of each node's next turn

    def __copy__(self) -> "RoundRobin":
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._lasts, twin._ends = list(self._lasts), list(self._ends)
        return twin

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. One pass over all nodes."""
        if view.version != self._version:
            self._members_changed(view, rng)
        if view.takers_version != self._takers_version:
            self._takers_version = view.takers_version
            self._set_step()
        self.refresh(view)
        best = self._next(view)
        if best < 0:
            return last_resort(view, count)
        self._had_its_turn(best)
        return Pick(with_alternates(view, [self._nodes[best]], count, rng), view.eligible)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return self._ends[self._nodes.index(node)] - self._now if node in self._nodes else inf

    def share_of(self, node: NodeLoad) -> float:
        """The node's part of the turns, in any unit."""
        return 1.0

    def refresh(self, view: LoadView) -> None:
        """Update the shares if they depend on more than members and weights."""

    def set_shares(self, shares: list[float]) -> None:
        """Set the proportions of the turns, from the next turns on; in the order of `_nodes`."""
        average = sum(shares) / len(shares) if shares else 1.0
        self._lasts = [average / share for share in shares]
        self._set_step()

    def _set_step(self) -> None:
        """Set the pace of virtual time by the nodes that may get clients."""
        rate = sum(1.0 / lasts for node, lasts in zip(self._nodes, self._lasts, strict=True) if not node.barred)
        self._step = 1.0 / rate if rate else 0.0

    def _next(self, view: LoadView) -> int:
        """Return the index of the node whose turn it is, or -1 if no node is able."""
        begun, now = self._now + _SAME, view.now
        nodes, lasts = self._nodes, self._lasts
        best, earliest = -1, inf
        for index, end in enumerate(self._ends):
            if end < earliest and end - lasts[index] <= begun:
                node = nodes[index]
                if node.full != inf or (not node.barred and node.able(now)):
                    best, earliest = index, end - _SAME
        if best >= 0:
            return best
        able = [index for index, node in enumerate(nodes) if not node.barred and node.able(now)]
        if not able:
            return -1
        best = min(able, key=lambda index: self._ends[index] - lasts[index])
        self._now = self._ends[best] - lasts[best]  # skip the nodes that can serve no client
        return best

    def _had_its_turn(self, index: int) -> None:
        lasts = self._lasts[index]
        end = self._ends[index]
        if end < self._now - lasts:  # the node was away; its missed turns are lost
            end = self._now
        self._ends[index] = end + lasts
        self._now += self._step
        if self._now > REBASE_AT:
            self._ends = [end - self._now for end in self._ends]
            self._now = 0.0

    def _ordered(self, view: LoadView, rng: "Random") -> list[NodeLoad]:
        """Return the eligible nodes: survivors in their order, new nodes at random positions between them."""
        left = {node.name: node for node in view.eligible}
        order = [left.pop(node.name) for node in self._nodes if node.name in left]
        for node in left.values():
            order.insert(rng.randrange(len(order) + 1), node)
        return order

    def _members_changed(self, view: LoadView, rng: "Random") -> None:
        """Keep the survivors' places in the cycle; the turn of a new node begins now. The first start is random."""
        lag: dict[NodeName, float] = {
            node.name: (end - lasts - self._now) / lasts
            for node, end, lasts in zip(self._nodes, self._ends, self._lasts, strict=True)
        }
        begins = self._version < 0
        self._version = view.version
        self._now = 0.0
        self._nodes = self._ordered(view, rng)
        self.set_shares([self.share_of(node) for node in self._nodes])
        self._ends = [
            (lag.get(node.name, 0.0) + 1.0) * lasts for node, lasts in zip(self._nodes, self._lasts, strict=True)
        ]
        for _ in range(rng.randrange(len(self._nodes)) if begins and self._nodes else 0):
            best = self._next(view)
            if best >= 0:
                self._had_its_turn(best)
