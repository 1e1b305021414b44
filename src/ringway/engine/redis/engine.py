"""Redis or Valkey as an engine: single, behind Sentinel, or as a Redis Cluster. `open_redis` is the way in."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ringway.engine.address import check_cluster, token
from ringway.engine.condition import Condition
from ringway.engine.listeners import call_listeners
from ringway.engine.redis.broker import RedisBroker
from ringway.engine.redis.bus import RedisBus
from ringway.engine.redis.connection import Wire
from ringway.engine.redis.connector import Reach
from ringway.engine.redis.history import RedisHistory
from ringway.engine.redis.lease import RedisLease
from ringway.engine.redis.names import Names
from ringway.engine.redis.permission_check import try_out
from ringway.engine.redis.registry import RedisRegistry
from ringway.engine.redis.url import read_url
from ringway.errors import EngineAway

POLL_S = 0.05
"""The pause between looks at a server that starts."""


class RedisEngine:
    """The five ports over the connections to Redis; made by `open_redis`."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self.broker = RedisBroker(wire, names)
        self.history = RedisHistory(wire, names)
        self.registry = RedisRegistry(wire, names)
        self.bus = RedisBus(wire, names)
        self.lease = RedisLease(wire, names)
        self.on_return: list[Callable[[], None]] = []
        wire.on_return = self._returned

    @property
    def up(self) -> bool:
        """Whether all servers of Redis can be reached at the moment."""
        return self._wire.up

    @property
    def problem(self) -> str:
        """What is wrong with Redis, with the remedy; empty where nothing is known to be."""
        return self._wire.condition.problem

    def _returned(self) -> None:
        self.registry.returned()
        call_listeners(self.on_return)

    async def close(self) -> None:
        """End what is served, wait for the answers that are due, and close the connections. Idempotent."""
        await self.bus.close()
        await self._wire.close()


async def open_redis(url: str, *, cluster: str = "ringway", name: str, wait_s: float = 5.0) -> RedisEngine:
    """Connect to Redis at `url` as `name`, and return it as an engine.

    Members that shall find each other give the same `cluster`. Waits up to `wait_s` for servers that start.
    Raise `ConfigError` where `url` or `cluster` is wrong, `EngineAway` where Redis cannot be reached, and
    `EngineUnsuitable` where it refuses us or is too old. No message shows a password.
    """
    where = read_url(url)
    check_cluster(cluster)
    names = Names(where.prefix, cluster)
    reach = Reach(token(f"ringway {name}"), where.login, where.tls_context(), where.database)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        wire = Wire(where, reach, names.start("line"), Condition(str(where)))
        try:
            await wire.open()
            await try_out(wire, names)
            engine = RedisEngine(wire, names)
            await engine.bus.open()
        except EngineAway:
            await wire.close()
            if loop.time() >= deadline:
                raise
        except BaseException:
            with suppress(Exception):
                await wire.close()
            raise
        else:
            return engine
        await asyncio.sleep(POLL_S)
