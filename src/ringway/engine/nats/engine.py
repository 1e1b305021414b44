"""NATS as an engine: the five ports over one connection. `opening.open_nats` makes it."""

from collections.abc import Callable

from ringway.engine.condition import Condition
from ringway.engine.listeners import call_listeners
from ringway.engine.nats.broker import NatsBroker
from ringway.engine.nats.bucket import KeyValueBucket, Storage
from ringway.engine.nats.bus import NatsBus
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.history import NatsHistory
from ringway.engine.nats.inbox import NatsInbox
from ringway.engine.nats.jetstream_request import JetStreamRequest
from ringway.engine.nats.lease import NatsLease
from ringway.engine.nats.registry import NatsRegistry
from ringway.engine.nats.server_pool import NatsAddress
from ringway.engine.nats.stream import HistorySettings

CLOSE_S = 2.0
"""The time for which closing waits until NATS has processed all commands."""


class NatsEngine:
    """The five ports over one connection to NATS."""

    def __init__(
        self,
        connection: NatsConnection,
        jetstream: JetStreamRequest,
        condition: Condition,
        cluster: str,
        settings: HistorySettings,
    ) -> None:
        self._connection = connection
        self._jetstream = jetstream
        self._condition = condition
        prefix = f"rw.{cluster}"
        self.on_return: list[Callable[[], None]] = []
        inbox = NatsInbox(connection, prefix)
        self.broker = NatsBroker(connection, prefix, inbox)
        self.registry = NatsRegistry(connection, prefix)
        self.bus = NatsBus(connection, prefix, inbox)
        self.history = NatsHistory(connection, jetstream, cluster, settings, condition, self._call_listeners)
        elsewhere: Storage = "memory" if settings.storage == "file" else "file"
        bucket = KeyValueBucket(jetstream, f"rw-{cluster}-leases", lambda: bool(connection.info.cluster), elsewhere)
        self.lease = NatsLease(bucket, condition)
        connection.on_loss.append(self._on_loss)
        connection.on_return.append(self._on_return)

    @property
    def up(self) -> bool:
        """True if NATS can be reached at the moment."""
        return self._connection.up

    @property
    def problem(self) -> str:
        """The problem of NATS, with the remedy; empty if no problem is known."""
        return self._condition.problem

    @property
    def server(self) -> NatsAddress:
        """The server that is connected, or was the last one."""
        return self._connection.server

    def _on_loss(self) -> None:
        self.lease.forget()
        self._jetstream.fail_all()
        self.history.on_loss()

    def _on_return(self) -> None:
        self.registry.on_return()
        self.history.on_return()
        self._call_listeners()

    def _call_listeners(self) -> None:
        call_listeners(self.on_return)

    async def close(self) -> None:
        """End the served addresses, send accepted messages, and close the connection. Idempotent."""
        await self.bus.close()
        await self.history.close()
        self._jetstream.fail_all()
        await self._connection.close(CLOSE_S)
