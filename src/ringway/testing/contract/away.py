"""Contract of an engine that is away and returns; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.errors import EngineAway
from ringway.testing.contract.world import PATIENCE_S, Inbox, World, echo, listen, members, raises, until
from ringway.types import Channel, NodeName, Role


class AwayContract:
    """Every port reports that the engine is away, and works as before when it returns."""

    async def test_up_tells_and_what_needs_an_answer_raises(self, world: World) -> None:
        async with members(world, 1) as (a,):
            assert a.up
            Inbox(a)
            await a.broker.subscribe(Channel("c"))
            await a.lease.acquire("leader", "a", 60)
            await world.go_away()
            await until(lambda: not a.up)
            for attempt in (
                lambda: a.broker.publish(Channel("c"), b"1"),
                lambda: a.broker.subscribe(Channel("d")),
                lambda: a.bus.call("node.a", b"", timeout_s=PATIENCE_S),
                lambda: a.bus.gather("node.a", b"", timeout_s=PATIENCE_S),
                lambda: a.lease.acquire("leader", "a", 60),
                lambda: a.lease.renew("leader", "a", 60),
            ):
                with raises(EngineAway):
                    await attempt()
            await world.come_back()
            await until(lambda: a.up)

    async def test_interest_outlives_the_absence_and_what_was_refused_stays_away(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            for name in ("kept", "left"):
                await b.broker.subscribe(Channel(name))
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            with raises(EngineAway):
                await a.broker.publish(Channel("kept"), b"refused")
            await b.broker.unsubscribe(Channel("left"))
            await world.come_back()
            await until(lambda: a.up and b.up)
            await b.broker.subscribe(Channel("new"))
            for name in ("left", "new", "kept"):
                await a.broker.publish(Channel(name), b"after")
            await inbox.count(2)
            assert sorted(inbox.got) == [("kept", b"after"), ("new", b"after")]

    async def test_a_thousand_subscriptions_are_known_again_when_it_is_up(self, world: World) -> None:
        channels = [Channel(f"room:{i}") for i in range(1000)]
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await asyncio.gather(*(b.broker.subscribe(channel) for channel in channels))
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            await world.come_back()
            await until(lambda: a.up and b.up)
            await asyncio.gather(*(a.broker.publish(channel, b"") for channel in channels))
            assert sorted(await inbox.count(1000)) == sorted((channel, b"") for channel in channels)

    async def test_members_and_those_that_watch_are_asked_again_when_it_is_back(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            asked: list[NodeName] = []
            heard = await listen(b)
            await a.registry.answer(Role.NODE, asked.append)
            await a.registry.announce(Role.NODE, NodeName("a"), b"before")
            await until(lambda: ("a", b"before") in heard)
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            asked.clear()
            await a.registry.announce(Role.NODE, NodeName("a"), b"meanwhile")
            await world.come_back()
            await until(lambda: NodeName("") in asked)
            await until(lambda: a.up and b.up)
            await a.registry.announce(Role.NODE, NodeName("a"), b"after")
            await until(lambda: ("a", b"after") in heard)

    async def test_served_addresses_and_leases_work_again(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b", echo)
            first = await a.lease.acquire("leader", "a", 60)
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            await b.bus.serve("node.b2", echo)
            await world.come_back()
            await until(lambda: a.up and b.up)
            assert await a.bus.call("node.b", b"1", timeout_s=PATIENCE_S) == b"echo 1"
            assert await a.bus.call("node.b2", b"2", timeout_s=PATIENCE_S) == b"echo 2"
            assert await a.lease.renew("leader", "a", 60)
            assert await b.lease.acquire("leader", "b", 60) is None
            await a.lease.release("leader", "a")
            second = await b.lease.acquire("leader", "b", 60)
            assert first is not None
            assert second is not None
            assert second > first

    async def test_a_member_that_leaves_while_the_engine_is_away_leaves_quietly(self, world: World) -> None:
        async with members(world, 1) as (a,):
            Inbox(a)
            await a.broker.subscribe(Channel("c"))
            await a.registry.announce(Role.NODE, NodeName("a"), b"1")
            await a.lease.acquire("leader", "a", 60)
            await world.go_away()
            await until(lambda: not a.up)
            await a.registry.withdraw(Role.NODE, NodeName("a"), b"2")
            await a.lease.release("leader", "a")
            await a.broker.unsubscribe(Channel("c"))
            await a.close()
            await world.come_back()
