"""Ways to receive from Redis that `redis_clients.py` compares: each yields a function that awaits messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.util import find_spec

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from redis_clients_plain import listening

Receive = Callable[[int], Awaitable[None]]
"""Returns when this number of further messages has arrived."""

Way = Callable[[int, str], AbstractAsyncContextManager[Receive]]
"""Connects to the server at a port, and subscribes to a channel."""


@asynccontextmanager
async def plain(port: int, channel: str) -> AsyncIterator[Receive]:
    """Use the plain protocol."""
    async with listening(port, channel) as listener:
        yield listener.receive


@asynccontextmanager
async def subscribed(port: int, channel: str) -> AsyncIterator[PubSub]:
    """Subscribe with redis-py, and receive the confirmation."""
    async with Redis(port=port) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        await pubsub.get_message(timeout=5)
        yield pubsub


@asynccontextmanager
async def listened(port: int, channel: str) -> AsyncIterator[Receive]:
    """Use `listen`."""
    async with subscribed(port, channel) as pubsub:

        async def receive(count: int) -> None:
            async for _ in pubsub.listen():
                count -= 1
                if not count:
                    return

        yield receive


def got(timeout_s: float | None) -> Way:
    """Use `get_message` in a loop."""

    @asynccontextmanager
    async def opened(port: int, channel: str) -> AsyncIterator[Receive]:
        async with subscribed(port, channel) as pubsub:

            async def receive(count: int) -> None:
                while count:
                    count -= await pubsub.get_message(timeout=timeout_s) is not None

            yield receive

    return opened


@asynccontextmanager
async def handled(port: int, channel: str) -> AsyncIterator[Receive]:
    """Use a handler, and `run`."""
    async with Redis(port=port) as client, client.pubsub() as pubsub:
        left, done = 0, asyncio.Event()

        def handle(message: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set()

        await pubsub.subscribe(**{channel: handle})
        await pubsub.get_message(timeout=5)

        async def receive(count: int) -> None:
            nonlocal left
            left = count
            done.clear()
            task = asyncio.create_task(pubsub.run())
            await done.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        yield receive


@asynccontextmanager
async def coredis_iterated(port: int, channel: str) -> AsyncIterator[Receive]:
    """Iterate over a subscription of coredis."""
    import coredis

    async with (
        coredis.Redis(port=port) as client,
        client.pubsub(channels=[channel], ignore_subscribe_messages=True) as pubsub,
    ):

        async def receive(count: int) -> None:
            async for _ in pubsub:
                count -= 1
                if not count:
                    return

        yield receive


RECEIVING: dict[str, Way] = {
    "plain protocol": plain,
    "redis-py get_message(None)": got(None),
    "redis-py get_message(1.0)": got(1.0),
    "redis-py listen": listened,
    "redis-py handler and run": handled,
}
if find_spec("coredis"):
    RECEIVING |= {"coredis, iterated": coredis_iterated}
