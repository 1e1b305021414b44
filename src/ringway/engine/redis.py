"""Redis or Valkey as an engine: single, behind Sentinel, or as a Redis Cluster. `open_redis` is the way in."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from ringway.engine.address import is_label
from ringway.engine.redis_broker import RedisBroker
from ringway.engine.redis_bus import RedisBus
from ringway.engine.redis_history import RedisHistory
from ringway.engine.redis_lease import RedisLease
from ringway.engine.redis_name import Names
from ringway.engine.redis_reach import Reach
from ringway.engine.redis_registry import RedisRegistry
from ringway.engine.redis_trial import try_out
from ringway.engine.redis_url import read_url
from ringway.engine.redis_wire import Wire
from ringway.errors import ConfigError, EngineAway

POLL_S = 0.05
"""The pause between looks at a server that starts."""

_log = structlog.get_logger()


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

    def _returned(self) -> None:
        self.registry.returned()
        for returned in self.on_return:
            try:
                returned()
            except Exception:
                # It runs inside the task that keeps the connections, which one receiver's fault must not end.
                _log.exception("a receiver of the engine's return failed")

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
    if not is_label(cluster):
        raise ConfigError(f"the cluster name {cluster!r} is not usable: give 1 to 32 letters, digits, '_' or '-'")
    names = Names(where.prefix, cluster)
    reach = Reach(f"ringway-{name}", where.login, where.tls_context(), where.database)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        wire = Wire(where, reach, names.start("line"))
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
