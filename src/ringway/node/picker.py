"""Looks through the node's connections for a move: who is moved, and how many keys belong elsewhere.

There can be a hundred thousand of them, so they are looked at in slices with a turn of the event loop in between, one
search at a time: two at once would choose the same connections, and change each other's tables.
"""

import asyncio
from typing import TYPE_CHECKING

from ringway.core.hashing import Table, make_table
from ringway.core.victim import Choice, Deed, count_misplaced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ringway.node.connection import Connection
    from ringway.node.shared import Shared
    from ringway.protocol.order import MoveOrder, Owners
    from ringway.types import NodeName

_SLICE = 2000
_KEYED_SLICE = 250  # where the owner of each key is looked up


class Picker:
    """Chooses connections for orders. What it chose is not chosen again until it is released."""

    def __init__(self, shared: "Shared", ring_secret: bytes) -> None:
        self._shared = shared
        self._ring_secret = ring_secret
        self._tables: dict[tuple[str, bool], Table] = {}  # by name, and whether of before; changing one costs little
        self._chosen: set[Connection] = set()
        self._searching = asyncio.Lock()

    async def choose(self, order: "MoveOrder") -> "list[Connection]":
        """Return up to `order.count` connections to be moved; `release` them in the end."""
        shared = self._shared
        async with self._searching:
            choice = Choice["Connection"](
                now=shared.clock(),
                cool_down_s=shared.cool_down_s,
                idle_after_s=shared.config.idle_after_s,
                deed=self._deed(order.owners) if order.owners is not None else None,
                target=order.target,
            )
            async for part in self._slices(_KEYED_SLICE if order.owners is not None else _SLICE):
                choice.offer([connection for connection in part if connection not in self._chosen])
            chosen = choice.take(order.count, oldest_first=shared.config.move_first == "oldest")
            self._chosen.update(chosen)
            return chosen

    def release(self, chosen: "list[Connection]") -> None:
        """Let connections be chosen again: they were moved, or will not be."""
        self._chosen.difference_update(chosen)

    async def count(self, owners: "Owners") -> "dict[NodeName, int]":
        """Return how many connections hold keys of each other node."""
        shared = self._shared
        misplaced: dict[NodeName, int] = {}
        async with self._searching:
            deed = self._deed(owners)
            now, cool_down_s = shared.clock(), shared.cool_down_s
            async for part in self._slices(_KEYED_SLICE):
                for name, count in count_misplaced(part, deed, shared.name, now=now, cool_down_s=cool_down_s).items():
                    misplaced[name] = misplaced.get(name, 0) + count
        return misplaced

    async def _slices(self, size: int) -> "AsyncIterator[list[Connection]]":
        connections = list(self._shared.roster)
        for start in range(0, len(connections), size):
            yield [connection for connection in connections[start : start + size] if connection.is_connected]
            await asyncio.sleep(0)

    def _deed(self, owners: "Owners") -> Deed:
        before = owners.before if owners.before and any(owners.before.values()) else None
        return Deed(
            self._table(owners.table, owners.weights, before=False),
            None if before is None else self._table(owners.table, before, before=True),
        )

    def _table(self, name: str, weights: "dict[NodeName, float]", *, before: bool) -> Table:
        table = self._tables.get((name, before))
        if table is None:
            table = self._tables[name, before] = make_table(name, self._ring_secret)
        table.update(weights)
        return table
