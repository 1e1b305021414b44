"""Looks through the node's connections for a move: who is moved, and how many keys belong elsewhere.

There can be a hundred thousand of them, so they are looked at in slices with a turn of the event loop in between, one
search at a time: two at once would choose the same connections, and change each other's tables. What was found serves
all orders of the next moment: a balancer that empties a node sends one for each target, all of them each second.
"""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ringway.core.hashing import Table, make_table
from ringway.core.move_candidates import KeyOwners, Search

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared
    from ringway.protocol.order import MoveOrder, Owners
    from ringway.types import NodeName

KEPT_S = 0.8
"""How long a search serves further requests: less than the second between two rounds of a balancer."""

_SLICE = 2000
_KEYED_SLICE = 250  # where the owner of each key is looked up


class _Kept(NamedTuple):
    owners: "Owners | None"
    cool_down_s: float
    search: "Search[Connection]"
    timer: asyncio.TimerHandle


class Picker:
    """Chooses connections for orders. What it chose is not chosen again until it is released."""

    def __init__(self, shared: "Shared", ring_secret: bytes) -> None:
        self._shared = shared
        self._ring_secret = ring_secret
        self._tables: dict[tuple[str, bool], Table] = {}  # by name, and whether of before; changing one costs little
        self._chosen: set[Connection] = set()
        self._kept: _Kept | None = None
        self._searching = asyncio.Lock()

    async def choose(self, order: "MoveOrder") -> "list[Connection]":
        """Return up to `order.count` connections to be moved; `release` them in the end."""
        search = await self._search(order.owners)
        chosen = search.take(
            order.count,
            lambda connection: connection.may_leave and connection not in self._chosen,
            owner=None if order.owners is None else order.target,
            oldest_first=self._shared.config.move_first == "oldest",
        )
        self._chosen.update(chosen)
        return chosen

    def release(self, chosen: "list[Connection]") -> None:
        """Let connections be chosen again: they were moved, or will not be."""
        self._chosen.difference_update(chosen)

    async def count(self, owners: "Owners") -> "dict[NodeName, int]":
        """Return how many connections hold keys of each other node."""
        search = await self._search(owners)
        counts = search.count(lambda connection: connection.is_connected)
        counts.pop(self._shared.name, None)
        return counts

    def close(self) -> None:
        """Forget what was found."""
        if self._kept is not None:
            self._kept.timer.cancel()
            self._kept = None

    async def _search(self, owners: "Owners | None") -> "Search[Connection]":
        shared = self._shared
        async with self._searching:
            kept, cool_down_s = self._kept, shared.cool_down_s
            if kept is not None and kept.owners == owners and kept.cool_down_s == cool_down_s:
                return kept.search
            search = Search["Connection"](
                now=shared.clock(),
                cool_down_s=cool_down_s,
                idle_after_s=shared.config.idle_after_s,
                deed=None if owners is None else self._deed(owners),
            )
            connections = list(shared.roster)
            size = _SLICE if owners is None else _KEYED_SLICE
            for start in range(0, len(connections), size):
                search.offer(connection for connection in connections[start : start + size] if connection.is_connected)
                await asyncio.sleep(0)
            self.close()
            # by a timer, and not when it is next looked at: it holds connections that are closed meanwhile
            timer = asyncio.get_running_loop().call_later(KEPT_S, self.close)
            self._kept = _Kept(owners, cool_down_s, search, timer)
            return search

    def _deed(self, owners: "Owners") -> KeyOwners:
        before = owners.before if owners.before and any(owners.before.values()) else None
        return KeyOwners(
            self._table(owners.table, owners.weights, before=False),
            None if before is None else self._table(owners.table, before, before=True),
        )

    def _table(self, name: str, weights: "dict[NodeName, float]", *, before: bool) -> Table:
        table = self._tables.get((name, before))
        if table is None:
            table = self._tables[name, before] = make_table(name, self._ring_secret)
        table.update(weights)
        return table
