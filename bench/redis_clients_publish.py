"""Ways to publish through Redis that `redis_clients.py` compares: each yields a function that publishes a batch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec

from redis.asyncio import Redis
from redis.asyncio.connection import Connection

from redis_clients_plain import Pack, all_of, calling, pack_by_hand, pack_by_hiredis

CHANNEL = "bench:publish"
CHANNEL_BYTES = CHANNEL.encode()

Publish = Callable[[Sequence[bytes]], Awaitable[None]]
"""Publishes payloads, and returns when all are answered."""

Way = Callable[[int], AbstractAsyncContextManager[Publish]]
"""Connects to the server at a port."""


def plain(pack: Pack) -> Way:
    """Use the plain protocol: one write and one future a batch."""

    @asynccontextmanager
    async def opened(port: int) -> AsyncIterator[Publish]:
        async with calling(port) as caller:

            async def publish(payloads: Sequence[bytes]) -> None:
                await caller.batch([pack(CHANNEL_BYTES, payload) for payload in payloads])

            yield publish

    return opened


@asynccontextmanager
async def plain_futures(port: int) -> AsyncIterator[Publish]:
    """Use the plain protocol: one write a loop turn, and a future for each command."""
    async with calling(port) as caller:

        async def publish(payloads: Sequence[bytes]) -> None:
            await all_of([caller.one(pack_by_hand(CHANNEL_BYTES, payload)) for payload in payloads])

        yield publish


@asynccontextmanager
async def gathered(port: int) -> AsyncIterator[Publish]:
    """Call `Redis.publish` for each, all at once: redis-py uses a connection for each call under way."""
    async with Redis(port=port) as client:

        async def publish(payloads: Sequence[bytes]) -> None:
            await asyncio.gather(*(client.publish(CHANNEL, payload) for payload in payloads))

        yield publish


def pipelined(socket_timeout_s: float | None) -> Way:
    """Use a pipeline of redis-py for each batch."""

    @asynccontextmanager
    async def opened(port: int) -> AsyncIterator[Publish]:
        async with Redis(port=port, socket_timeout=socket_timeout_s) as client:

            async def publish(payloads: Sequence[bytes]) -> None:
                async with client.pipeline(transaction=False) as pipeline:
                    for payload in payloads:
                        pipeline.publish(CHANNEL, payload)
                    await pipeline.execute()

            yield publish

    return opened


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Publish]:
    """Use the connection of redis-py without the client around it."""
    wire = Connection(port=port, socket_timeout=None)
    await wire.connect()

    async def publish(payloads: Sequence[bytes]) -> None:
        await wire.send_packed_command(wire.pack_commands([("PUBLISH", CHANNEL, payload) for payload in payloads]))
        for _ in payloads:
            await wire.read_response()

    yield publish
    await wire.disconnect()


@asynccontextmanager
async def coredis_gathered(port: int) -> AsyncIterator[Publish]:
    """Call `publish` of coredis for each, all at once."""
    import coredis

    async with coredis.Redis(port=port) as client:

        async def publish(payloads: Sequence[bytes]) -> None:
            await asyncio.gather(*(client.publish(CHANNEL, payload) for payload in payloads))

        yield publish


@asynccontextmanager
async def coredis_pipelined(port: int) -> AsyncIterator[Publish]:
    """Use a pipeline of coredis for each batch."""
    import coredis

    async with coredis.Redis(port=port) as client:

        async def publish(payloads: Sequence[bytes]) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for payload in payloads:
                    pipeline.publish(CHANNEL, payload)

        yield publish


PUBLISHING: dict[str, Way] = {
    "plain protocol": plain(pack_by_hand),
    "plain, hiredis.pack_command": plain(pack_by_hiredis),
    "plain, a future each": plain_futures,
    "redis-py Connection": connection,
    "redis-py pipeline": pipelined(5.0),
    "redis-py pipeline, no timeout": pipelined(None),
    "redis-py publish, gathered": gathered,
}
if find_spec("coredis"):
    PUBLISHING |= {"coredis pipeline": coredis_pipelined, "coredis publish, gathered": coredis_gathered}
