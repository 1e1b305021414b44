"""Consistent hashing by key: the same key goes to the same node, and a change of members moves few keys.

The key is the client's `key=`; a client without one is placed at random on the ring. See `core.ring`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import need_eligible
from ringway.core.ring import HashRing

if TYPE_CHECKING:
    from random import Random


class Ring:
    """See the module. `secret` keys the hash."""

    name: ClassVar[str] = "ring"
    keyed: ClassVar[bool] = True

    def __init__(self, secret: bytes) -> None:
        self._version = -1
        self._ring = HashRing({}, secret)

    def rank(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Sequence[NodeLoad]:
        """See `Policy.rank`. Alternates are the next nodes on the ring."""
        nodes = need_eligible(view)
        if view.version != self._version:
            self._ring.update({node.name: node.weight for node in nodes})
            self._version = view.version
        if key is None:
            key = rng.randbytes(8)
        if count == 1:
            return (view.nodes[self._ring.owner(key)],)
        return [view.nodes[name] for name in self._ring.owners(key, count)]
