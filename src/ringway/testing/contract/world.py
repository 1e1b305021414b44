"""World of a contract suite: control of the engine that is tested, and the functions that the tests share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from ringway.ports import Engine
from ringway.types import Channel, NodeName, Role

PATIENCE_S = 20.0
"""The time that a test waits for an event; far more than the event needs, so that a slow machine passes."""


class World(Protocol):
    """The surroundings of an adapter, as the suite needs them."""

    payload_bytes_max: int
    """The size of the largest payload that must arrive."""

    async def open(self) -> Engine:
        """Return the engine of a new member; the suite closes it."""
        ...

    async def go_away(self) -> None:
        """Make the engine unreachable for all members."""
        ...

    async def come_back(self) -> None:
        """Make the engine reachable again, with its stored data."""
        ...

    async def lose_data(self) -> None:
        """Delete all stored data, while the engine is away."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for leases and history."""
        ...


class Inbox:
    """The publications that arrived at a member, in order; `places` has the offset and the previous offset of each."""

    def __init__(self, engine: Engine) -> None:
        self.got: list[tuple[Channel, bytes]] = []
        self.places: list[tuple[int, int]] = []
        engine.broker.attach(self._on_publication)

    def _on_publication(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        self.got.append((channel, payload))
        self.places.append((offset, previous))

    async def count(self, count: int) -> list[tuple[Channel, bytes]]:
        """Return all publications, after at least `count` have arrived."""
        await until(lambda: len(self.got) >= count)
        return self.got


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` is true; fail after `PATIENCE_S`."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - the condition is the engine's, which sets no event
            await asyncio.sleep(0.002)


@contextmanager
def raises(kind: type[Exception]) -> Iterator[None]:
    """Fail unless the block raises `kind`."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


@asynccontextmanager
async def members(world: World, count: int) -> AsyncIterator[list[Engine]]:
    """Open `count` members, and close them afterwards."""
    engines = [await world.open() for _ in range(count)]
    try:
        yield engines
    finally:
        for engine in engines:
            await engine.close()


async def echo(request: bytes) -> bytes:
    """Answer any request; a handler for tests."""
    return b"echo " + request


async def listen(engine: Engine, *roles: Role) -> list[tuple[NodeName, bytes]]:
    """Watch the registry for `roles` (none: all); the returned list grows with each message."""
    heard: list[tuple[NodeName, bytes]] = []
    await engine.registry.watch(roles or tuple(Role), lambda role, member, message: heard.append((member, message)))
    return heard
