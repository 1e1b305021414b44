"""Promises of the memory engine beyond the contract: determinism, and a clock that the caller gives."""

import asyncio

from ringway.engine.memory.engine import MemoryHub
from ringway.types import Channel, NodeName, Role


async def test_publications_are_delivered_in_the_next_turn_in_order() -> None:
    hub = MemoryHub()
    a, b = hub.open(), hub.open()
    got: list[tuple[str, bytes]] = []
    a.broker.attach(lambda channel, payload, offset, previous: got.append(("a", payload)))
    b.broker.attach(lambda channel, payload, offset, previous: got.append(("b", payload)))
    for engine in (b, a):
        await engine.broker.subscribe(Channel("c"))
    await a.broker.publish(Channel("c"), b"1")
    await b.broker.publish(Channel("c"), b"2")
    assert got == []
    await asyncio.sleep(0)
    assert got == [("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2")]


async def test_what_is_on_its_way_is_not_delivered_after_unsubscribing() -> None:
    engine = MemoryHub().open()
    got: list[bytes] = []
    engine.broker.attach(lambda channel, payload, offset, previous: got.append(payload))
    await engine.broker.subscribe(Channel("c"))
    await engine.broker.publish(Channel("c"), b"1")
    await engine.broker.unsubscribe(Channel("c"))
    await asyncio.sleep(0)
    assert got == []


async def test_a_lease_ends_by_the_clock_of_the_hub() -> None:
    now = [0.0]
    hub = MemoryHub(now=lambda: now[0])
    a, b = hub.open(), hub.open()
    first = await a.lease.acquire("leader", "a", 5)
    now[0] = 4.9
    assert await b.lease.acquire("leader", "b", 5) is None
    now[0] = 5.0
    second = await b.lease.acquire("leader", "b", 5)
    assert (first, second) == (1, 2)


async def test_a_member_that_was_closed_hears_and_serves_nothing() -> None:
    hub = MemoryHub()
    gone, here = hub.open(), hub.open()
    heard: list[NodeName] = []
    await gone.registry.watch(tuple(Role), lambda role, member, report: heard.append(member))

    async def handler(request: bytes) -> bytes:
        return b""

    await gone.bus.serve("node.gone", handler)
    await gone.close()
    await gone.close()
    await here.registry.announce(Role.NODE, NodeName("here"), b"")
    await asyncio.sleep(0)
    assert heard == []
    assert await here.bus.gather("node.gone", b"", timeout_s=1) == []
    assert not gone.up
    assert here.up
