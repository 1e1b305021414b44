"""Connections of one process to all servers of a Redis, kept up until `close`, and its subscriptions.

One task finds the servers that accept writes, connects, and subscribes again, whenever a connection was lost or a reply
did not agree with what was known. Shards that are connected serve meanwhile. Another task checks each server every
`CHECK_S`.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import hiredis

from ringway.engine.condition import Condition
from ringway.engine.listeners import call_listeners
from ringway.engine.redis.command_connection import OnReply, pack
from ringway.engine.redis.connector import RedisConnector
from ringway.engine.redis.errors import error_of_reply
from ringway.engine.redis.shard import Shard, ShardCallbacks
from ringway.engine.redis.shard_table import ShardTable
from ringway.engine.redis.topology import Topology, topology_of
from ringway.engine.redis.url import RedisUrl
from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.logger import get_logger
from ringway.tasks import Tasks

AGAIN_S = 0.2
"""The least pause between attempts to connect to all servers."""

CHECK_S = 1.0
"""The period of each server's checks; after three checks without a reply it is lost."""

TOPOLOGY_CHECKS = 2
"""The number of checks between two queries of the master at the sentinels."""

CONFIRM_S = 30.0
"""The time for servers to confirm all subscriptions."""

REPORTS = "reports"
"""The name of unconfirmed publications in the condition of the engine."""

CLOSE_S = 2.0
"""The time for which closing waits for replies."""

OnData = Callable[[bytes], None]
"""Receives the published bytes, in the call stack of the read."""

_log = get_logger()


class RedisConnections:
    """The connections of one process; `open` connects.

    Names are Redis keys and channels, in which a text in braces is shared by all names that must share a slot.
    """

    def __init__(self, url: RedisUrl, connector: RedisConnector, lineage_name: bytes, condition: Condition) -> None:
        callbacks = ShardCallbacks(self._on_loss, self._on_doubt, self._on_message)
        self._table = ShardTable(url.kind, connector, lineage_name, callbacks)
        self.shard_of = self._table.shard_of
        self.publish_word, self.count_word = (
            (b"SPUBLISH", b"SHARDNUMSUB") if self._table.sharded else (b"PUBLISH", b"NUMSUB")
        )
        """Redis's commands for publishing, and for the number of subscribers (of PUBSUB)."""
        self.on_return: list[Callable[[], None]] = []
        """Called when all servers are connected and know all subscriptions, after a loss or a doubt.

        Called before that if a server is back earlier and sends messages (`report_missed`).
        """
        self.condition = condition
        self._url = url
        self._topology: Topology = topology_of(url, connector)
        self._subscriptions: dict[bytes, OnData] = {}
        self._connected = False
        self._missed = False
        """True if messages may have been missed that `on_return` has not reported yet."""
        self._changed = asyncio.Event()
        self._tasks = Tasks()

    @property
    def up(self) -> bool:
        """True while all servers are connected and know all subscriptions."""
        return self._connected

    async def open(self) -> None:
        """Connect to all servers; raise `EngineError` if that fails."""
        try:
            await self._connect()
        except BaseException:
            self._topology.close()
            raise
        self._tasks.spawn(self._keep_connected(), name="redis connections")
        self._tasks.spawn(self._check_servers(), name="redis checks")

    def require(self) -> None:
        """Raise `EngineAway` if not all servers are connected."""
        if not self._connected:
            raise EngineAway("Redis cannot be reached at the moment; retry")

    def execute(self, name: bytes, command: bytes) -> asyncio.Future[Any]:
        """Send `command`, which is about `name`, at the end of this loop turn; the future gets the reply.

        Raise `EngineAway` if it cannot be sent. `CommandConnection.execute` says how the future fails.
        """
        return self.shard_of(name).commands.execute(command)

    def send_command(self, name: bytes, command: bytes, on_reply: OnReply) -> None:
        """Send `command`, which is about `name`; `on_reply` receives the reply. Raise `EngineAway`."""
        self.shard_of(name).commands.send_command(command, on_reply)

    def publish(self, name: bytes, message: bytes) -> asyncio.Future[Any]:
        """Publish `message` on `name`; the future is done when the server has sent it to all subscribers."""
        return self.execute(name, pack(self.publish_word, name, message))

    def publish_unconfirmed(self, name: bytes, message: bytes) -> None:
        """Publish `message` on `name`, without a confirmation."""
        with suppress(EngineAway):
            self.send_command(name, pack(self.publish_word, name, message), self._on_published)

    def _on_published(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            error = error_of_reply(str(reply))
            if isinstance(error, EngineUnsuitable):
                self.condition.on_refused(REPORTS, error)
        elif self.condition.refuses and not isinstance(reply, EngineError):
            self.condition.on_served(REPORTS)

    def start_subscribe(self, name: bytes, on_data: OnData) -> None:
        """Give `on_data` the messages of `name`, from now on or once the server is connected."""
        self._subscriptions[name] = on_data
        with suppress(EngineAway):
            self.shard_of(name).pubsub.start_subscribe(name)

    async def subscribe(self, name: bytes, on_data: OnData) -> None:
        """Subscribe to `name`, and return when its server has confirmed it. Raise `EngineAway`.

        Idempotent: the first `on_data` stays. If the first subscribe fails, there is no subscription.
        """
        pubsub = self.shard_of(name).pubsub
        if name in self._subscriptions:
            await pubsub.confirm_requests()  # an earlier subscribe may still be under way
            return
        self._subscriptions[name] = on_data
        try:
            await pubsub.subscribe(name)
        except EngineError:
            self.unsubscribe(name)
            raise

    def unsubscribe(self, name: bytes) -> None:
        """Stop receiving messages of `name`; the request to the server leaves at the end of this loop turn."""
        if self._subscriptions.pop(name, None) is not None:
            with suppress(EngineAway):
                self.shard_of(name).pubsub.unsubscribe(name)

    def report_missed(self) -> None:
        """Call `on_return` now if it is due: before a kept publication is delivered.

        A server that is back sends messages at once, maybe long before the other servers are back. If it has lost its
        data, its messages do not show that others were before them.
        """
        if self._missed:
            self._missed = False
            call_listeners(self.on_return)

    async def wait_confirmed(self, name: bytes) -> None:
        """Return when the server of `name` has executed all subscribes and unsubscribes; quiet while it is away."""
        with suppress(EngineError):
            await self.shard_of(name).pubsub.confirm_requests()

    def _on_message(self, name: bytes, data: bytes) -> None:
        on_data = self._subscriptions.get(name)
        if on_data is not None:
            try:
                on_data(data)
            except Exception:
                # A fault of one receiver must not end the connection of all.
                _log.exception("a receiver of messages failed", channel=name.decode(errors="replace"))

    def _on_loss(self) -> None:
        self._on_incomplete()
        self._changed.set()

    def _on_doubt(self) -> None:
        self._changed.set()

    def _on_incomplete(self) -> None:
        if self._connected:
            self._connected = False
            self.condition.on_lost()

    async def _keep_connected(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._reconnect()
            except Exception as error:
                # This task must go on after any error: without it nothing is connected again.
                self._on_incomplete()
                if isinstance(error, EngineError):
                    self.condition.on_attempt_failed(error)
                else:
                    _log.exception("connecting to redis failed", engine=str(self._url))
                self._changed.set()
            await asyncio.sleep(max(AGAIN_S, self.condition.pause_s()))

    async def _reconnect(self) -> None:
        was_away = not self._connected
        await self._connect()
        if was_away:
            self.condition.on_returned()
        self._missed = True
        self.report_missed()

    async def _connect(self) -> None:
        """Connect to all servers that accept writes now, and make all subscriptions known to them."""
        servers = await self._topology.find_servers()
        before = self._table.by_slot
        problems = await self._table.connect(servers)
        try:
            async with asyncio.timeout(CONFIRM_S):
                await asyncio.gather(*self._subscribe_again(before))
        except TimeoutError:
            for shard in self._table.shards:
                shard.abort()
            raise EngineAway(f"Redis did not confirm all interest within {CONFIRM_S:g} s; retry") from None
        if problems:
            raise problems[0]
        if not all(shard.up for shard in self._table.shards):
            raise EngineAway("Redis was lost again; retry")
        self._connected = True

    def _subscribe_again(self, before: Sequence[Shard | None]) -> list[asyncio.Future[None]]:
        """Subscribe to all names whose server differs from that in `before`, or has dropped them."""
        waiting = []
        for name in self._subscriptions:
            slot = self._table.slot_of(name)
            shard = self._table.by_slot[slot]
            if shard is not None and shard.up and (shard is not before[slot] or shard.pubsub.pop_dropped(name)):
                waiting.append(shard.pubsub.subscribe(name))
        self._missed = self._missed or bool(waiting)
        return waiting

    async def _check_servers(self) -> None:
        checks = 0
        while True:
            await asyncio.sleep(CHECK_S)
            checks += 1
            try:
                self._table.check_liveness()
                if checks % TOPOLOGY_CHECKS == 0 and await self._topology.has_changed(self._table.addresses):
                    self._changed.set()
            except Exception:
                # Without this task a server that is dead and silent would stay unnoticed.
                _log.exception("asking redis failed", engine=str(self._url))

    async def close(self) -> None:
        """Wait up to `CLOSE_S` for replies, and end all connections."""
        await self._tasks.aclose()
        self._connected = False
        await self._table.close(CLOSE_S)
        self._topology.close()
