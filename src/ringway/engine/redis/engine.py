"""Redis or Valkey as an engine: single, behind Sentinel, or as a Redis Cluster. `open_redis` opens it."""

import asyncio
from contextlib import suppress

from ringway.engine.address import check_cluster, token
from ringway.engine.condition import Condition
from ringway.engine.redis.broker import RedisBroker
from ringway.engine.redis.bus import RedisBus
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.connector import RedisConnector
from ringway.engine.redis.history import RedisHistory
from ringway.engine.redis.inbox import RedisInbox
from ringway.engine.redis.lease import RedisLease
from ringway.engine.redis.names import Names
from ringway.engine.redis.permission_check import check_permissions
from ringway.engine.redis.registry import RedisRegistry
from ringway.engine.redis.url import read_url
from ringway.errors import EngineAway

RETRY_S = 0.05
"""The pause between attempts to connect to a server that starts."""


class RedisEngine:
    """The five ports over the connections to Redis; made by `open_redis`."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self.connections = connections
        """For tests and diagnosis: the ports use it."""
        self.inbox = RedisInbox(connections, names)
        self.broker = RedisBroker(connections, names, self.inbox)
        self.history = RedisHistory(connections, names)
        self.registry = RedisRegistry(connections, names)
        self.bus = RedisBus(connections, names, self.inbox)
        self.lease = RedisLease(connections, names)
        self.on_return = connections.on_return
        self.on_return.append(self.registry.on_return)

    @property
    def up(self) -> bool:
        """True while all servers of Redis are connected."""
        return self.connections.up

    @property
    def problem(self) -> str:
        """The problem of Redis, with the remedy; empty if no problem is known."""
        return self.connections.condition.problem

    async def close(self) -> None:
        """End the served addresses, wait for replies, and close the connections. Idempotent."""
        await self.bus.close()
        await self.connections.close()


async def open_redis(
    url: str, *, cluster: str = "ringway", name: str, wait_s: float = 5.0, read_pause_s: float = 0.0
) -> RedisEngine:
    """Connect to Redis at `url` as `name`, and return it as an engine.

    Members of one cluster give the same `cluster`. Waits up to `wait_s` for servers that start.
    With a `read_pause_s` above 0 the connections for subscriptions pause so long after each read (`PacedReading`).
    Raise `ConfigError` if `url` or `cluster` is wrong, `EngineAway` if Redis cannot be reached, and `EngineUnsuitable`
    if it refuses the login or is too old. No message contains a password.
    """
    where = read_url(url)
    check_cluster(cluster)
    names = Names(where.prefix, cluster)
    connector = RedisConnector(token(f"ringway {name}"), where.login, where.tls_files(), where.database, read_pause_s)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        connections = RedisConnections(where, connector, names.prefix_of("line"), Condition(str(where)))
        try:
            await connections.open()
            await check_permissions(connections, names)
            engine = RedisEngine(connections, names)
            await engine.inbox.wait_confirmed()
        except EngineAway:
            await connections.close()
            if loop.time() >= deadline:
                raise
        except BaseException:
            with suppress(Exception):
                await connections.close()
            raise
        else:
            return engine
        await asyncio.sleep(RETRY_S)
