"""Contract of a history whose engine is away and returns; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.errors import EngineAway
from ringway.testing.contract.history import CHAT, OTHER, ROOM, payloads
from ringway.testing.contract.world import Inbox, World, members, raises, until


class HistoryAwayContract:
    """All calls are refused while the engine is away; after its return, stored data is there or the epoch is new."""

    async def test_while_away_everything_is_refused(self, world: World) -> None:
        async with members(world, 1) as (a,):
            kept = await a.history.append(ROOM, b"kept", CHAT)
            await world.go_away()
            await until(lambda: not a.up)
            for attempt in (
                lambda: a.history.append(ROOM, b"refused", CHAT),
                lambda: a.history.position(ROOM, CHAT),
                lambda: a.history.read(ROOM, CHAT, 0, 10),
                lambda: a.history.keep(CHAT),
                lambda: a.history.remove(ROOM, CHAT),
            ):
                with raises(EngineAway):
                    await attempt()
            await world.come_back()
            await until(lambda: a.up)
            page = await a.history.read(ROOM, CHAT, 0, 10)
            assert page == (kept.epoch, kept.offset, [(kept.offset, b"kept")], True)

    async def test_what_was_kept_outlives_the_absence_with_its_epoch(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            first = await a.history.append(ROOM, b"1", CHAT, key="1")
            await inbox.count(1)
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            await world.come_back()
            await until(lambda: a.up and b.up)
            assert await a.history.append(ROOM, b"again", CHAT, key="1") == first
            second = await a.history.append(ROOM, b"2", CHAT)
            assert second.epoch == first.epoch
            await inbox.count(2)
            assert inbox.places == [(first.offset, 0), (second.offset, first.offset)]
            assert payloads(await b.history.read(ROOM, CHAT, first.offset, 10)) == [b"2"]

    async def test_lost_data_is_a_new_epoch_before_anything_is_appended(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            for i in range(5):
                lost = await a.history.append(ROOM, b"lost %d" % i, CHAT)
            await b.history.append(OTHER, b"lost", CHAT)
            await inbox.count(5)
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            await world.lose_data()
            await world.come_back()
            await until(lambda: a.up and b.up)
            first, second = await asyncio.gather(
                a.history.append(ROOM, b"new 1", CHAT), b.history.position(OTHER, CHAT)
            )
            assert lost.epoch not in (first.epoch, second.epoch)
            page = await b.history.read(ROOM, CHAT, 0, 10)
            assert (page.epoch, payloads(page), page.complete) == (first.epoch, [b"new 1"], True)
            assert (await a.history.position(ROOM, CHAT)) == first
            await inbox.count(6)
            assert inbox.places[-1] == (first.offset, 0)

    async def test_the_return_is_told_when_all_interest_is_known_again(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            await a.history.append(ROOM, b"before", CHAT)
            await inbox.count(1)
            told: list[bool] = []
            b.on_return.append(lambda: told.append(b.up))
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            assert told == []
            await world.come_back()
            await until(lambda: bool(told) and a.up)
            await a.history.append(ROOM, b"after", CHAT)
            assert await inbox.count(2) == [(ROOM, b"before"), (ROOM, b"after")]
            assert told == [True]

    async def test_appends_under_way_are_stored_or_unconfirmed_and_none_is_stored_when_refused(
        self, world: World
    ) -> None:
        async with members(world, 2) as (a, b):
            await a.history.keep(CHAT)
            confirmed: list[bytes] = []
            unknown: list[bytes] = []
            refused: list[bytes] = []

            async def publish(payload: bytes) -> None:
                try:
                    await a.history.append(ROOM, payload, CHAT)
                    confirmed.append(payload)
                except EngineAway as error:
                    (refused if error.temporary else unknown).append(payload)

            async with asyncio.TaskGroup() as group:
                for i in range(50):
                    group.create_task(publish(b"before %d" % i))
                await until(lambda: len(confirmed) == 50)
                for i in range(20):
                    group.create_task(publish(b"under way %d" % i))
                await world.go_away()
                await until(lambda: not a.up and not b.up)
                group.create_task(publish(b"away"))
            assert b"away" in refused
            await world.come_back()
            await until(lambda: a.up and b.up)
            kept = payloads(await b.history.read(ROOM, CHAT, 0, 100))
            assert set(confirmed) <= set(kept) <= set(confirmed) | set(unknown)
            assert len(kept) == len(set(kept))
