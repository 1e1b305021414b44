"""Kit of the tests of a NATS server that fails."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats
from nats.js import JetStreamContext

from ringway.engine.condition import Condition
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.connector import NatsConnector
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.server_pool import NatsAddress, ServerPool
from ringway.engine.nats.url import PORT, read_url

PATIENCE_S = 30


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def end(server: EmbeddedNats, how: signal.Signals) -> None:
    """Send the server a signal."""
    assert server.pid is not None
    os.kill(server.pid, how)


async def connected(url: str) -> NatsConnection:
    """Return a connection to the first server of `url`."""
    where = read_url(url)
    connector = NatsConnector(where, "test")
    greeted = await connector.connect(NatsAddress(*where.addresses[0]))
    return NatsConnection(greeted, connector, ServerPool(where.addresses, PORT, random.Random(1)), Condition(url))


@asynccontextmanager
async def operator(url: str, **options: Any) -> AsyncIterator[JetStreamContext]:
    """Give JetStream as an operator sees it: by another client (nats-py), over a connection of its own."""
    client = await nats.connect(url, **options)
    try:
        yield client.jetstream()
    finally:
        await client.close()


@asynccontextmanager
async def passage(port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """Give a port that leads to `port`, and a function that cuts all connections through it."""
    writers: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()
        writers.discard(writer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_client = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, from_client), pump(to_server, writer))

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as entrance:
        yield entrance.sockets[0].getsockname()[1], cut
        cut()
