"""What a policy is, and what all of them share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from ringway.core.load import LoadView, NodeLoad
from ringway.errors import NoNode

if TYPE_CHECKING:
    from random import Random


class Policy(Protocol):
    """Ranks nodes for one connection. Keeps what it needs between picks; never the load, which is the view's."""

    name: ClassVar[str]
    keyed: ClassVar[bool]  # whether a key decides, so that a change of members changes owners

    def rank(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Sequence[NodeLoad]:
        """Return up to `count` distinct eligible nodes, the choice first; never empty.

        Raise `NoNode` where no node is eligible.
        """
        ...


def need_eligible(view: LoadView) -> list[NodeLoad]:
    """The eligible nodes of `view`; raise `NoNode` where there are none."""
    if not view.eligible:
        if view.nodes:
            raise NoNode(f"all {len(view.nodes)} nodes are draining; take one back with `ringway undrain`")
        raise NoNode("no node is known; start one with `ringway node`")
    return view.eligible


def alternates(nodes: Sequence[NodeLoad], chosen: NodeLoad, count: int, rng: "Random") -> list[NodeLoad]:
    """Return up to `count` nodes beside `chosen`: neighbours by name, from a random one on.

    They are asked where the chosen node fails. Random ones share its clients; the next best would get all of them.
    """
    size = len(nodes)
    start = int(rng.random() * size)
    found: list[NodeLoad] = []
    for step in range(size):
        if len(found) >= count:
            break
        node = nodes[(start + step) % size]
        if node is not chosen:
            found.append(node)
    return found
