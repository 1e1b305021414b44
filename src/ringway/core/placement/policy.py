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


def fuller(node: NodeLoad) -> float:
    """How full `node` would be with one more connection. The +1 lets weights count on idle nodes as well."""
    return (node.load + 1) / node.weight
