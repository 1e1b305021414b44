"""Selection of connections to move, and the count of keys that belong to other members.

There can be a hundred thousand connections, so they are searched in slices with a turn of the event loop in between,
one search at a time: two searches at once would select the same connections, and change each other's tables. The result
of a search is used for all orders of the next moment: a balancer that empties a member sends one order a second for
each target.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple

from ringway.core.hashing import make_table
from ringway.core.hashing.remembered import RememberedOwners
from ringway.core.move_candidates import KeyOwners, Search
from ringway.member.drain import Drain
from ringway.member.holder import C, Holder
from ringway.protocol.order import MoveOrder
from ringway.protocol.owners import Owners
from ringway.tasks import work_in_slices
from ringway.types import NodeName

KEPT_S = 0.8
"""The time for which a search serves further requests: less than the second between two rounds of a balancer."""

_SLICE = 2000
_COUNT_SLICE = 10_000  # the slice of a search that only counts connections
_KEYED_SLICE = 250  # the slice of a search that also finds the owner of each key


class _Kept(NamedTuple, Generic[C]):
    owners: Owners | None
    cool_down_s: float
    search: Search[C]
    timer: asyncio.TimerHandle


class MoveSelection(Generic[C]):
    """Selects connections for orders. A selected connection is not selected again until it is released.

    `name` is the member's own, `ring_secret` keys the tables as in the gateways' policy, `clock` is monotonic. Clients
    that were heard less than `idle_after_s` ago are busy.
    """

    def __init__(
        self,
        name: NodeName,
        holder: Holder[C],
        drain: Drain,
        ring_secret: bytes,
        *,
        idle_after_s: float,
        oldest_first: bool,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._holder = holder
        self._drain = drain
        self._ring_secret = ring_secret
        self._idle_after_s = idle_after_s
        self._oldest_first = oldest_first
        self._clock = clock
        self._tables: dict[tuple[str, bool], RememberedOwners] = {}  # by name, and if they are owners of before
        self._selected: set[C] = set()
        self._kept: _Kept[C] | None = None
        self._searching = asyncio.Lock()

    @property
    def keeps_search(self) -> bool:
        """True if the result of a search is kept, with references to its connections."""
        return self._kept is not None

    async def select_for(self, order: MoveOrder, owners: Owners | None = None) -> list[C]:
        """Return up to `order.count` connections to be moved. Call `release` with them in the end.

        With `owners`, only connections whose keys belong to the target.
        """
        search = await self._search(owners)
        selected = search.choose(
            order.count,
            lambda connection: connection.may_leave and connection not in self._selected,
            owner=None if owners is None else order.target,
            oldest_first=self._oldest_first,
        )
        self._selected.update(selected)
        return selected

    def release(self, selected: list[C]) -> None:
        """Allow connections to be selected again: they were moved, or will not be moved."""
        self._selected.difference_update(selected)

    async def count_misplaced(self, owners: Owners) -> dict[NodeName, int]:
        """Return how many connections have keys of each other member."""
        search = await self._search(owners)
        counts: dict[NodeName, int] = {}
        asked = 0
        for owner, count, size in search.each_count(lambda connection: connection.is_connected):
            if count and owner != self._name:
                counts[owner] = count
            asked += size
            if asked >= _COUNT_SLICE:
                asked = 0
                await asyncio.sleep(0)
        return counts

    def close(self) -> None:
        """Drop the kept search."""
        if self._kept is not None:
            self._kept.timer.cancel()
            self._kept = None

    async def _search(self, owners: Owners | None) -> Search[C]:
        async with self._searching:
            kept, cool_down_s = self._kept, self._drain.cool_down_s
            if kept is not None and kept.owners == owners and kept.cool_down_s == cool_down_s:
                return kept.search
            search = Search[C](
                now=self._clock(),
                cool_down_s=cool_down_s,
                idle_after_s=self._idle_after_s,
                owners=None if owners is None else await self._key_owners(owners),
            )
            connections = self._holder.usable_connections()
            size = _SLICE if owners is None else _KEYED_SLICE
            for start in range(0, len(connections), size):
                search.offer(connection for connection in connections[start : start + size] if connection.is_connected)
                await asyncio.sleep(0)
            self.close()
            # Dropped by a timer, not at the next request: a kept search holds connections that are closed meanwhile.
            timer = asyncio.get_running_loop().call_later(KEPT_S, self.close)
            self._kept = _Kept(owners, cool_down_s, search, timer)
            return search

    async def _key_owners(self, owners: Owners) -> KeyOwners:
        before = owners.before if owners.before and any(owners.before.values()) else None
        return KeyOwners(
            await self._table(owners.table, owners.weights, before=False),
            None if before is None else await self._table(owners.table, before, before=True),
        )

    async def _table(self, name: str, weights: dict[NodeName, float], *, before: bool) -> RememberedOwners:
        table = self._tables.get((name, before))
        if table is None:
            table = self._tables[name, before] = RememberedOwners(make_table(name, self._ring_secret))
        table.update(weights)
        await work_in_slices(table.work)
        return table
