"""Nodes with an outbox over a real PostgreSQL, whose table is made by the SQL of docs/howto/outbox.md."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from ringway.core.outbox import OutboxRow, RowOutcome
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server import ChannelNode
from ringway.node.server_api.rows import OutboxCalls
from ringway.node.server_api.stats import ServerApiStats
from ringway.outbox.batch import CarryOut
from ringway.outbox.config import PostgresqlConfig
from ringway.outbox.consumer import OutboxConsumer

PAGE = Path(__file__).parents[3] / "docs/howto/outbox.md"
SQL = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
MAKE, WRITE = SQL[0], SQL[1]
PUT_BACK = re.findall(r"^  ```sql\n(.*?)^  ```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0]
PATIENCE_S = 90.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


@dataclass
class Outbox:
    """A database of its own, with the tables of the page."""

    dsn: str
    writer: asyncpg.Connection

    async def insert(self, method: str, payload: Any, partition: int = 0) -> int:
        """Write one row; return its id."""
        statement = "INSERT INTO outbox (method, payload, partition) VALUES ($1, $2, $3) RETURNING id"
        made: int = await self.writer.fetchval(statement, method, json.dumps(payload), partition)
        return made

    async def publish(self, channel: str, data: Any, partition: int = 0) -> int:
        """Write a row that publishes."""
        return await self.insert("publish", {"channel": channel, "data": data}, partition)

    async def count(self, table: str = "outbox") -> int:
        """Return the number of rows."""
        number: int = await self.writer.fetchval(f"SELECT count(*) FROM {table}")
        return number

    async def until_empty(self) -> None:
        """Wait until no row is left."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.count():
                await asyncio.sleep(0.02)

    async def cut_off(self) -> None:
        """Cut all connections of the node that reads it."""
        other = await asyncpg.connect(self.dsn)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ringway n1'"
        )
        await other.close()

    def config(self, **settings: Any) -> PostgresqlConfig:
        """Return settings of nodes that read it."""
        return PostgresqlConfig(**{"dsn": self.dsn, "outbox_table_name": "outbox", **settings})

    @asynccontextmanager
    async def read_by(self, carry_out: CarryOut, **settings: Any) -> AsyncIterator[OutboxConsumer]:
        """Have rows carried out by `carry_out`."""
        consumer = OutboxConsumer(self.config(**settings), carry_out, "n1", Random(1))
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            await consumer.stop()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def read_by_node(self, node: ChannelNode, **settings: Any) -> AsyncIterator[OutboxConsumer]:
        """Have rows carried out by `node`."""
        async with self.read_by(calls_of(node).carry_out, **settings) as consumer:
            yield consumer


def calls_of(node: ChannelNode) -> OutboxCalls:
    """Return rows as calls of `node`."""
    return OutboxCalls(node.api_methods(HttpApiConfig()), ServerApiStats(), node.clients.channels.namespaces)


class Recorder:
    """Carries out rows by noting their ids, in the order in which they end."""

    def __init__(self, outcome: Callable[[OutboxRow], RowOutcome]) -> None:
        self.tried: list[int] = []
        self._outcome = outcome

    async def carry_out(self, row: OutboxRow) -> RowOutcome:
        self.tried.append(row.id)
        await asyncio.sleep(0)
        return self._outcome(row)
