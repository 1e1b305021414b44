"""Expectations of two gateways: what one promises, the other keeps."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.backends.expectations import Expectations
from ringway.protocol.expected import ExpectedClient
from ringway.protocol.group import DEFAULT
from ringway.types import Incarnation, NodeName

A, B = NodeName("a"), NodeName("b")
KEY, ADDRESS = b"carol", "10.0.0.1"


class FakeGateway:
    """The expectations of one gateway; `over` are its clients that have come, or come no more."""

    def __init__(self, hub: MemoryHub, number: int, gateways: int, clock: Callable[[], float]) -> None:
        self.over: list[ExpectedClient] = []
        self.shown: list[str] = []  # its clients that are in a report of another gateway
        self.engine = hub.open()
        self.expectations = Expectations(
            NodeName(f"g{number}"), Incarnation(f"{number:08x}"), self.engine.bus, b"secret", lambda: gateways,
            self.over.append, self.shown.extend, clock,
        )  # fmt: skip

    async def expect(self, key: bytes | None = KEY, target: NodeName = B, ttl_s: float = 10.0) -> str:
        return await self.expectations.expect(key, ADDRESS, DEFAULT, A, target, ttl_s)

    def take(self, key: bytes | None = KEY, address: str = ADDRESS) -> NodeName | None:
        client = self.expectations.take_promise(key, address, DEFAULT)
        return client.target if client is not None else None


class World:
    def __init__(self) -> None:
        self.now = 100.0
        hub = MemoryHub()
        self.gateways = [FakeGateway(hub, number, 2, lambda: self.now) for number in (1, 2)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    for gateway in world.gateways:
        await gateway.expectations.start()
    yield world
    for gateway in world.gateways:
        await gateway.expectations.stop()
        await gateway.engine.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


async def test_the_other_gateway_knows_the_promise_when_it_is_made(world):
    one, other = world.gateways
    await one.expect()
    assert other.take() == B
    assert other.take() is None, "it is for one client"


async def test_a_client_that_came_elsewhere_releases_the_place_and_is_expected_no_more(world):
    one, other = world.gateways
    await one.expect()
    other.take()
    await until(lambda: one.over)
    assert [client.target for client in one.over] == [B]
    assert one.take() is None
    assert not other.over, "it holds no place of this client"


async def test_a_client_that_came_here_is_not_expected_at_the_other(world):
    one, other = world.gateways
    await one.expect()
    assert one.take() == B
    assert len(one.over) == 1
    await until(lambda: not len(other.expectations))
    assert other.take() is None


async def test_a_promise_that_is_given_up_ends_everywhere_and_releases_its_place_once(world):
    one, other = world.gateways
    promise = await one.expect()
    one.expectations.give_up(promise)
    assert [client.id for client in one.over] == [promise]
    await until(lambda: not len(other.expectations))
    one.expectations.give_up(promise)
    assert (one.take(), other.take(), len(one.over)) == (None, None, 1)


async def test_a_promise_ends_with_its_time_at_both(world):
    one, other = world.gateways
    await one.expect(ttl_s=10.0)
    world.now += 10.1
    for gateway in world.gateways:
        gateway.expectations.tick()
    assert (one.take(), other.take()) == (None, None)


async def test_a_client_is_known_by_its_key_or_by_its_address_without_one(world):
    one, other = world.gateways
    await one.expect(key=None)
    assert other.take(key=None, address="10.0.0.2") is None
    assert other.take(key=b"dave") == B, "one with a key that was not seen before may have the place of its address"
    await one.expect(key=KEY)
    assert other.take(key=b"dave") is None
    assert other.take(key=KEY, address="10.9.9.9") == B


async def test_many_promises_at_once_are_few_messages(world):
    one, other = world.gateways
    await asyncio.gather(*(one.expect(target=NodeName(f"n{number}")) for number in range(50)))
    assert [other.take() for _ in range(51)] == [*(f"n{number}" for number in range(50)), None]


async def test_gateways_that_do_not_answer_delay_a_promise_by_a_moment_only(world):
    one, other = world.gateways
    await other.expectations.stop()
    async with asyncio.timeout(3):
        await one.expect()
    assert one.take() == B


async def test_a_client_that_stays_needs_no_place(world):
    first = world.gateways[0]
    each = await first.expect()
    first.expectations.give_up(each)
    assert (len(first.over), first.shown) == (1, [each])


async def test_the_gateway_of_a_promise_is_told_when_the_report_of_another_shows_the_client(world):
    first, second = world.gateways
    each = await first.expect()
    assert second.take() == B
    await until(lambda: len(first.over) == 1)
    assert first.shown == []
    second.expectations.tell_shown([each])
    await until(lambda: first.shown == [each])
