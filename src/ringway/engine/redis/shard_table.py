"""Shards by slot: the connections to all servers of a Redis, and the server of each name."""

import asyncio
from collections.abc import Sequence

from ringway.engine.redis.connector import RedisConnector
from ringway.engine.redis.shard import Shard, ShardCallbacks
from ringway.engine.redis.slot import SLOTS, slot_of
from ringway.engine.redis.topology import ServerSlots
from ringway.engine.redis.url import Address, Kind
from ringway.errors import EngineAway


class ShardTable:
    """The shards of one URL. `lineage_name` begins the key for the lineage of a server's data."""

    def __init__(self, kind: Kind, connector: RedisConnector, lineage_name: bytes, callbacks: ShardCallbacks) -> None:
        self.sharded = kind is Kind.CLUSTER
        self.by_slot: list[Shard | None] = [None] * (SLOTS if self.sharded else 1)
        """The shard of each slot; replaced as a whole by `connect`."""
        self._kind = kind
        self._connector = connector
        self._lineage_name = lineage_name
        self._callbacks = callbacks
        self._shards: dict[Address, Shard] = {}

    @property
    def shards(self) -> list[Shard]:
        """All shards."""
        return list(self._shards.values())

    @property
    def addresses(self) -> list[Address]:
        """The addresses of all shards."""
        return list(self._shards)

    def slot_of(self, name: bytes) -> int:
        """Return the index of `name` in `by_slot`."""
        return slot_of(name) if self.sharded else 0

    def shard_of(self, name: bytes) -> Shard:
        """Return the shard to which `name` belongs; raise `EngineAway` if it is not connected."""
        shard = self.by_slot[slot_of(name) if self.sharded else 0]
        if shard is None or not shard.up:
            raise EngineAway("Redis cannot be reached at the moment; retry")
        return shard

    async def connect(self, servers: Sequence[ServerSlots]) -> list[BaseException]:
        """Connect to `servers`; connected shards stay, and shards of other servers are discarded.

        Return the errors of the servers that could not be connected. The others are in `by_slot` in any case.
        """
        outcomes = await asyncio.gather(*(self._open_shard(server) for server in servers), return_exceptions=True)
        shards = [outcome for outcome in outcomes if isinstance(outcome, Shard)]
        self.by_slot = self._arrange(servers, outcomes)
        for address, shard in list(self._shards.items()):
            if shard not in shards:
                del self._shards[address]
                shard.discard()
        self._shards |= {shard.address: shard for shard in shards}
        return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]

    async def _open_shard(self, server: ServerSlots) -> Shard:
        """Return the shard of `server`: the connected one, or a new one."""
        shard = self._shards.get(server.address)
        if shard is None or not shard.up:
            shard = Shard(server.address, self._kind, self._callbacks)
            await shard.open(self._connector)
        try:
            await shard.read_lineage(self._lineage_key(server))
        except BaseException:
            shard.discard()
            raise
        return shard

    def _lineage_key(self, server: ServerSlots) -> bytes:
        """Return the key for the lineage of a server's data: the same for all members, in a slot of that server."""
        number = 0
        while True:
            key = b"%b{%d}" % (self._lineage_name, number)
            if not self.sharded or any(slot_of(key) in slots for slots in server.slots):
                return key
            number += 1

    def _arrange(self, servers: Sequence[ServerSlots], outcomes: Sequence[Shard | BaseException]) -> list[Shard | None]:
        by_slot: list[Shard | None] = [None] * len(self.by_slot)
        for server, shard in zip(servers, outcomes, strict=True):
            if isinstance(shard, Shard):
                for slots in server.slots:
                    for slot in slots if self.sharded else range(1):
                        by_slot[slot] = shard
        return by_slot

    def check_liveness(self) -> None:
        """Check that each server is alive, accepts writes, and still has its data."""
        for shard in self.shards:
            shard.check_liveness()

    async def close(self, within_s: float) -> None:
        """Wait up to `within_s` for the replies to all commands, then end all connections."""
        await asyncio.gather(*(shard.close(within_s) for shard in self._shards.values()))
