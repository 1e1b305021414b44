"""Table of nodes by hash: the owner of each key, as a function of members, weights and a secret alone.

No history: members that learn of changes in different order agree. See `ring`, `rendezvous` and `maglev`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

from ringway.types import NodeName


class Table(Protocol):
    """The owners of keys. Keyed by a secret, so that no stranger can aim keys at a node."""

    moves_least: ClassVar[bool]
    """True if a change moves keys only from nodes that leave or grow lighter, and to nodes that come or grow."""

    @property
    def weights(self) -> Mapping[NodeName, float]:
        """The nodes of the table and their weights."""
        ...

    @property
    def whole(self) -> bool:
        """True if nothing is left to `work` on: each owner is a function of members, weights and secret."""
        ...

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Make the table hold exactly `weights`; nodes with weight 0 own nothing.

        Long work is left to `work`. Until it is done keys may have their former owners (`sliced`).
        """
        ...

    def work(self) -> bool:
        """Do a few milliseconds of the work that is left; return True if more is left."""
        ...

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        ...

    def owner_among(self, key: bytes, names: Collection[NodeName]) -> NodeName:
        """Return the node that owns `key`, of which it is known that it is among `names`."""
        ...

    def first(self, key: bytes) -> Sequence[NodeName]:
        """Return the first nodes of `ranked`, as many as cost little: four to seven or so, but at least the owner."""
        ...

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once: its owner, then the nodes that get it if the owner is full."""
        ...


def complete(table: Table, weights: Mapping[NodeName, float]) -> None:
    """Make `table` hold exactly `weights`, at once, without slices."""
    table.update(weights)
    while table.work():
        pass
