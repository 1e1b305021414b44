"""Consistent hashing by key: the same key goes to the same node, and a change of members moves few keys.

The key is the client's `key=`; a client without one is placed at random on the ring. See `core.ring`.
"""

from typing import TYPE_CHECKING, ClassVar

from ringway.core.hashing import make_table
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, last_resort

if TYPE_CHECKING:
    from random import Random


class Ring:
    """See the module. `secret` keys the hash."""

    name: ClassVar[str] = "ring"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the node that owns the key"
    measure: ClassVar[str] = "load"
    table = "ring"

    def __init__(self, options: Options, secret: bytes) -> None:
        self._version = -1
        self._table = make_table(self.table, secret)

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. Alternates are the next nodes on the ring."""
        if view.version != self._version:
            self._table.update({node.name: node.weight_own for node in view.eligible})
            self._version = view.version
        found: list[NodeLoad] = []
        for name in self._table.ranked(key if key is not None else rng.randbytes(8)):
            node = view.nodes[name]
            if node.ready:
                found.append(node)
                if len(found) == count:
                    break
        return Pick(found, found) if found else last_resort(view, count)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return node.load
