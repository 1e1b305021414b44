"""Table of nodes by hash: the owner of each key, as a function of members, weights and a secret alone.

No history: members that learn of changes in different order agree. See `ring`, `rendezvous` and `maglev`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from ringway.types import NodeName

if TYPE_CHECKING:
    from ringway.core.hashing.stream import Names, Numbers


class Table(Protocol):
    """The owners of keys. Keyed by a secret, so that no stranger can aim keys at a node."""

    @property
    def weights(self) -> Mapping[NodeName, float]:
        """The nodes of the table and their weights."""
        ...

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Make the table hold exactly `weights`; nodes with weight 0 own nothing."""
        ...

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        ...

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once: its owner, then the nodes that get it if the owner is full."""
        ...

    def owners(self, hashes: "Numbers") -> "Names":
        """Return the owner of each key of which the hash is given (`stream.hash_keys`), all at once."""
        ...
