"""Shard, a server that accepts writes: a single Redis, the master behind Sentinel, or a master of a Redis Cluster.

It has two connections: for commands, and for subscriptions. If one of them is lost, the shard is lost.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ringway.engine.redis import script
from ringway.engine.redis.command_connection import CommandConnection, ignore_reply, pack
from ringway.engine.redis.connector import RedisConnector
from ringway.engine.redis.pubsub_connection import OnMessage, PubSubConnection
from ringway.engine.redis.server_info import check_server, read_server_info
from ringway.engine.redis.url import Address, Kind, show
from ringway.errors import EngineAway, EngineUnsuitable
from ringway.logger import get_logger

_log = get_logger()


@dataclass(frozen=True, slots=True)
class ShardCallbacks:
    """The receivers of a shard's events and messages."""

    on_loss: Callable[[], None]
    on_doubt: Callable[[], None]
    """Called when a reply contradicts the known state: the servers and their data must be read again."""
    on_message: OnMessage


class Shard:
    """A server that accepts writes; `open` connects."""

    def __init__(self, address: Address, kind: Kind, callbacks: ShardCallbacks) -> None:
        self.address = address
        self.lineage = b""
        """The name of its data's lineage: while it is the same, no acknowledged write was lost."""
        self._kind = kind
        self._callbacks = callbacks
        self._info = read_server_info(b"", b"")
        self._lineage_key = b""
        self._closed = False
        self.commands = CommandConnection(self._on_loss, callbacks.on_doubt)
        self.pubsub = PubSubConnection(
            self._on_loss, callbacks.on_doubt, callbacks.on_message, sharded=kind is Kind.CLUSTER
        )

    @property
    def up(self) -> bool:
        """True while both connections are established."""
        return self.commands.up and self.pubsub.up

    async def open(self, connector: RedisConnector) -> None:
        """Connect, check that the server is suitable, and load the scripts.

        Raise `EngineAway` if it cannot be reached or accepts no writes now, `EngineUnsuitable` if it never will.
        """
        try:
            await connector.connect(self.address, self.commands)
            await connector.connect(self.address, self.pubsub)
            if connector.read_pause_s:
                self.pubsub.set_read_pause(connector.read_pause_s)
            self._info = read_server_info(await self.commands.execute(pack("INFO")), await self._read_appendfsync())
            check_server(self._info, self._kind, show(self.address))
            await asyncio.gather(*(self.commands.execute(script.load) for script in script.ALL))
            self._check_role(await self.commands.execute(pack("ROLE")))
        except BaseException:
            self.discard()
            raise

    async def _read_appendfsync(self) -> bytes:
        with suppress(EngineUnsuitable):  # not every user may read the configuration
            answer = await self.commands.execute(pack("CONFIG", "GET", "appendfsync"))
            return bytes(answer[1]) if answer else b""
        return b""

    def _check_role(self, role: Any) -> None:
        if role[0] != b"master":
            raise EngineAway(
                f"Redis at {show(self.address)} is a replica and takes no writes; "
                "give its master, or the sentinels that know it"
            )

    async def read_lineage(self, lineage_key: bytes) -> None:
        """Read the lineage of the server's data; `lineage_key` must be of a slot of this shard."""
        self._lineage_key = lineage_key
        self.lineage = await self.commands.execute(self._lineage_command())

    def _lineage_command(self) -> bytes:
        return script.lineage((self._lineage_key,), self._info.run_id, int(self._info.durable))

    def check_liveness(self) -> None:
        """Check that the server is alive, accepts writes, and still has its data."""
        self.pubsub.check_liveness(pack("PING"), ignore_reply)
        self.commands.check_liveness(pack("ROLE"), self._on_role)
        if self.commands.up and self._lineage_key:
            self.commands.send_check(self._lineage_command(), self._on_lineage)

    def _on_role(self, answer: Any) -> None:
        if isinstance(answer, list) and answer[0] != b"master":
            _log.warning("a redis server takes no writes any more", server=show(self.address))
            self.abort()

    def _on_lineage(self, answer: Any) -> None:
        if isinstance(answer, bytes) and answer != self.lineage:
            self.lineage = answer
            self._callbacks.on_doubt()

    def _on_loss(self) -> None:
        self.abort()
        if not self._closed:
            self._callbacks.on_loss()

    def abort(self) -> None:
        """End both connections at once."""
        self.commands.abort()
        self.pubsub.abort()

    def discard(self) -> None:
        """End both connections at once, without a call of `on_loss`."""
        self._closed = True
        self.abort()

    async def close(self, within_s: float) -> None:
        """Wait up to `within_s` for the replies to all commands, then end both connections, without `on_loss`."""
        self._closed = True
        await asyncio.gather(self.commands.close(within_s), self.pubsub.close(within_s))
