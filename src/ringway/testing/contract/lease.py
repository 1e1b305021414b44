"""Contract of leases; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.testing.contract.world import PATIENCE_S, World, members

TTL_S = 1.0


class LeaseContract:
    """A lease has one holder at a time, and fencing numbers only grow."""

    async def test_of_many_who_try_one_holds_the_lease(self, world: World) -> None:
        async with members(world, 5) as engines:
            fences = await asyncio.gather(
                *(engine.lease.acquire("leader", f"h{i}", 60) for i, engine in enumerate(engines))
            )
            assert len([fence for fence in fences if fence is not None]) == 1
            for i, (engine, fence) in enumerate(zip(engines, fences, strict=True)):
                assert await engine.lease.renew("leader", f"h{i}", 60) == (fence is not None)

    async def test_leases_of_other_names_are_independent(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            assert await a.lease.acquire("one", "a", 60) is not None
            for name in ("two", "a.b *>%", "one "):
                assert await b.lease.acquire(name, "b", 60) is not None
                await b.lease.release(name, "b")
                assert await a.lease.acquire(name, "a", 60) is not None

    async def test_a_released_lease_is_free_at_once_and_the_fence_grows(self, world: World) -> None:
        async with members(world, 2) as engines:
            last = 0
            for turn in range(6):
                engine, holder = engines[turn % 2], f"h{turn % 2}"
                fence = await engine.lease.acquire("leader", holder, 60)
                assert fence is not None
                assert fence > last
                last = fence
                await engine.lease.release("leader", holder)
                assert not await engine.lease.renew("leader", holder, 60)

    async def test_a_holder_that_acquires_again_gets_a_greater_fence(self, world: World) -> None:
        async with members(world, 1) as (a,):
            first = await a.lease.acquire("leader", "a", 60)
            second = await a.lease.acquire("leader", "a", 60)
            assert first is not None
            assert second is not None
            assert second > first
            assert await a.lease.renew("leader", "a", 60)

    async def test_renewing_keeps_a_lease_beyond_its_time(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            assert await a.lease.acquire("leader", "a", TTL_S) is not None
            for _ in range(12):
                await world.pass_time(TTL_S / 6)
                assert await a.lease.renew("leader", "a", TTL_S)
                assert await b.lease.acquire("leader", "b", TTL_S) is None

    async def test_a_silent_holder_is_succeeded_and_knows_it(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            first = await a.lease.acquire("leader", "a", TTL_S)
            second = None
            async with asyncio.timeout(PATIENCE_S):
                while second is None:
                    second = await b.lease.acquire("leader", "b", 60)
                    await world.pass_time(TTL_S / 5)
            assert first is not None
            assert second > first
            assert not await a.lease.renew("leader", "a", 60)
            await a.lease.release("leader", "a")
            assert await a.lease.acquire("leader", "a", 60) is None
            assert await b.lease.renew("leader", "b", 60)

    async def test_a_lease_is_not_taken_before_its_time(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            assert await a.lease.acquire("leader", "a", 60) is not None
            for _ in range(5):
                assert await b.lease.acquire("leader", "b", 0.01) is None
                await world.pass_time(0.05)
