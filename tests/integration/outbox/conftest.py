"""A PostgreSQL server for a file of tests, a database for each test, and the fixtures of the node's tests."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import asyncpg
import pytest

from integration.node.conftest import dial, hub, pytest_asyncio_loop_factories, start_node
from integration.outbox.kit import MAKE, Outbox
from support.postgres_server import PostgresServer

__all__ = ["dial", "hub", "pytest_asyncio_loop_factories", "start_node"]

_numbers = count()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def outbox(postgres: PostgresServer) -> AsyncIterator[Outbox]:
    """A database of its own for each test."""
    name = f"app{next(_numbers)}"
    admin = await asyncpg.connect(postgres.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    writer = await asyncpg.connect(postgres.dsn(name))
    await writer.execute(MAKE)
    made = Outbox(postgres.dsn(name), writer)
    yield made
    made.writer.terminate()
