"""Owners of keys, remembered: a change of members costs what it changes, and not a lookup for each key.

A key gets a new owner only if its owner has left or grown lighter, or from a node that has come or grown. (If that is
not true of a table, all is forgotten with each change.) Each answer has the number of the change after which it was
right; the changes since are applied when the key is asked for again.
"""

from collections.abc import Mapping

from ringway.core.hashing.table import Table
from ringway.types import NodeName

REMEMBERED_MAX = 262_144
"""Keys whose owners are remembered. If there are more, all are forgotten, and looked up again."""

GROWN_MAX = 4
"""With more nodes that have come or grown, a key is looked up again: that costs less."""


class RememberedOwners:
    """The owners of keys by `table`, which belongs to this object."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._weights: dict[NodeName, float] = dict(table.weights)
        self._owners: dict[bytes, tuple[int, NodeName]] = {}
        self._changes = 0
        self._lost_at: dict[NodeName, int] = {}  # the change with which a node left or grew lighter
        self._grown: list[tuple[int, NodeName]] = []  # the changes with which nodes came or grew, in order

    def __len__(self) -> int:
        return len(self._owners)

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Make the table hold exactly `weights` when `work` has returned False; ask for no owner before that."""
        wanted = {name: weight for name, weight in weights.items() if weight > 0}
        before, self._weights = self._weights, wanted
        if wanted == before:
            return
        self._changes += 1
        lost = [name for name, weight in before.items() if wanted.get(name, 0.0) < weight]
        self._lost_at.update(dict.fromkeys(lost, self._changes))
        self._grown += [(self._changes, name) for name, weight in wanted.items() if before.get(name, 0.0) < weight]
        if not self._table.moves_least or len(self._grown) > 8 * GROWN_MAX or len(self._lost_at) > REMEMBERED_MAX:
            self._forget()
        self._table.update(wanted)

    def work(self) -> bool:
        """See `Table.work`."""
        return self._table.work()

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        known = self._owners.get(key)
        if known is not None and known[0] == self._changes:
            return known[1]
        owner = self._table.owner(key) if known is None else self._follow(key, *known)
        if len(self._owners) >= REMEMBERED_MAX:
            self._forget()
        self._owners[key] = self._changes, owner
        return owner

    def _follow(self, key: bytes, at: int, owner: NodeName) -> NodeName:
        """Return the owner of `key` now; after the change `at` it was `owner`."""
        if self._lost_at.get(owner, 0) > at:
            return self._table.owner(key)
        grown = {name for change, name in self._grown if change > at and name in self._weights}
        if len(grown) > GROWN_MAX:
            return self._table.owner(key)
        return self._table.owner_among(key, {owner, *grown}) if grown - {owner} else owner

    def _forget(self) -> None:
        self._owners.clear()
        self._lost_at.clear()
        self._grown.clear()
