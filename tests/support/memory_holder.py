"""Holder in memory: a second holder beside the channel node, as small as the port allows. Its clients are objects."""

import asyncio
import math
from collections.abc import Callable

from ringway.core.move_candidates import is_cooling
from ringway.member.holder import CloseCause, HolderCounts, HolderMeasures
from ringway.member.sent_moves import SentMoves
from ringway.types import NodeName


class MemoryClient:
    """A client and its connection in one. A `silent` client never answers a close."""

    def __init__(self, holder: "MemoryHolder", now: float, *, key: bytes, is_moved: bool) -> None:
        self.key = key
        self.moved_at = float(math.ceil(now)) if is_moved else None
        self.heard_at = now
        self.setup_cost = 0
        self.silent = False
        self.ends = asyncio.Event()  # its end has begun, and it knows
        self.ended_by: CloseCause | NodeName | None = None
        self._holder = holder

    @property
    def is_usable(self) -> bool:
        return not self.ends.is_set()

    is_connected = may_leave = is_usable

    def end(self, by: CloseCause | NodeName) -> None:
        self.ended_by = by
        self.ends.set()
        if not self.silent:
            self._holder.clients.pop(self)

    async def wait_closed(self) -> None:
        await self.ends.wait()

    async def leave(self) -> None:
        self.ends.set()
        self._holder.clients.pop(self)

    async def ignore_close(self) -> None:
        self.silent = True


class MemoryHolder:
    """Holds `clients`, the oldest first. `clock` is monotonic; moves are counted in `sent`."""

    def __init__(self, sent: SentMoves, clock: Callable[[], float]) -> None:
        self.clients: dict[MemoryClient, None] = {}
        self._sent = sent
        self._clock = clock
        self._accepted = 0

    def accept(self, key: bytes = b"", *, is_moved: bool = False) -> MemoryClient:
        client = MemoryClient(self, self._clock(), key=key, is_moved=is_moved)
        self.clients[client] = None
        self._accepted += 1
        return client

    def counts(self) -> HolderCounts:
        return HolderCounts(len(self.usable_connections()), 0, len(self.clients))

    def measures(self, now: float, cool_down_s: float) -> HolderMeasures:
        cooling = sum(is_cooling(client.moved_at, now, cool_down_s) for client in self.usable_connections())
        return HolderMeasures(cooling=cooling, sockets=self._accepted, accepted=self._accepted)

    def usable_connections(self) -> list[MemoryClient]:
        return [client for client in self.clients if client.is_usable]

    async def send_off(self, connection: MemoryClient, target: NodeName, clock_s: float = 0.0) -> None:
        if connection.may_leave:
            self._sent.count_move(target)
            connection.end(target)

    def close_connection(self, connection: MemoryClient, cause: CloseCause) -> None:
        if connection.is_usable:
            connection.end(cause)

    async def cut_rest(self, within_s: float) -> None:
        if self.clients:
            await asyncio.sleep(within_s)  # it has nobody to hear from
        self.clients.clear()
