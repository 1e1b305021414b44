"""Contract of a history from which publications are removed; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.testing.contract.history import CHAT, FEW, OTHER, ROOM, payloads
from ringway.testing.contract.world import Inbox, World, members


class HistoryRemovalContract:
    """Removed publications are gone, and who missed one of them is told so."""

    async def test_removed_publications_are_gone_and_others_are_not(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            for i in range(3):
                await a.history.append(ROOM, b"%d" % i, CHAT)
                await a.history.append(OTHER, b"other %d" % i, CHAT)
            await b.history.remove(ROOM, CHAT)
            for since, reverse in ((None, False), (None, True), (0, False)):
                assert payloads(await a.history.read(ROOM, CHAT, since, 10, reverse)) == []
            assert payloads(await a.history.read(OTHER, CHAT, None, 10)) == [b"other 0", b"other 1", b"other 2"]

    async def test_who_missed_a_removed_publication_is_told_and_who_had_all_is_not(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await a.history.append(OTHER, b"older than all", CHAT)
            first = await a.history.append(ROOM, b"first", CHAT)
            last = await a.history.append(ROOM, b"last", CHAT)
            await b.history.remove(ROOM, CHAT)
            later = await a.history.position(ROOM, CHAT)
            assert (later.epoch, later.offset >= last.offset) == (last.epoch, True)
            for since, complete in ((0, False), (first.offset, False), (last.offset, True), (later.offset, True)):
                page = await b.history.read(ROOM, CHAT, since, 10)
                assert (page.epoch, payloads(page), page.complete) == (last.epoch, [], complete), since
            after = await b.history.append(ROOM, b"after", CHAT)
            assert after.offset > later.offset
            for since, complete in ((0, False), (first.offset, False), (last.offset, True), (later.offset, True)):
                for limit in (1, 10):
                    page = await a.history.read(ROOM, CHAT, since, limit)
                    assert (payloads(page), page.offset, page.complete) == ([b"after"], after.offset, complete), since

    async def test_a_subscriber_gets_what_follows_a_removal(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            before = await a.history.append(ROOM, b"before", CHAT)
            await a.history.remove(ROOM, CHAT)
            await a.history.append(ROOM, b"after", CHAT)
            assert await inbox.count(2) == [(ROOM, b"before"), (ROOM, b"after")]
            page = await b.history.read(ROOM, CHAT, before.offset, 10)
            assert (payloads(page), page.complete) == ([b"after"], True)

    async def test_after_a_removal_as_many_are_kept_as_before(self, world: World) -> None:
        async with members(world, 1) as (a,):
            for i in range(4):
                await a.history.append(ROOM, b"%d" % i, FEW)
            await a.history.remove(ROOM, FEW)
            await a.history.remove(ROOM, FEW)
            positions = [await a.history.append(ROOM, b"new %d" % i, FEW) for i in range(5)]
            assert payloads(await a.history.read(ROOM, FEW, None, 10)) == [b"new %d" % i for i in range(1, 5)]
            page = await a.history.read(ROOM, FEW, positions[1].offset, 10)
            assert (len(page.publications), page.complete) == (3, True)
            assert not (await a.history.read(ROOM, FEW, 0, 10)).complete

    async def test_a_removal_from_a_channel_without_publications_changes_nothing(self, world: World) -> None:
        async with members(world, 1) as (a,):
            before = await a.history.position(ROOM, CHAT)
            await a.history.remove(ROOM, CHAT)
            assert await a.history.position(ROOM, CHAT) == before
            kept = await a.history.append(ROOM, b"1", CHAT)
            page = await a.history.read(ROOM, CHAT, before.offset, 10)
            assert (payloads(page), page.offset, page.complete) == ([b"1"], kept.offset, True)

    async def test_removals_among_publications_lose_none_unsaid(self, world: World) -> None:
        """Who reads on from its position gets all, or is told that it did not."""
        async with members(world, 3) as (a, b, c):
            start = await c.history.position(ROOM, CHAT)

            async def publish() -> list[int]:
                return [(await a.history.append(ROOM, b"%d" % i, CHAT)).offset for i in range(60)]

            async def remove() -> None:
                for _ in range(6):
                    await b.history.remove(ROOM, CHAT)
                    await asyncio.sleep(0.01)

            got: list[int] = []
            told = 0
            at = start.offset
            async with asyncio.TaskGroup() as group:
                publishing = group.create_task(publish())
                group.create_task(remove())
                while not publishing.done():
                    page = await c.history.read(ROOM, CHAT, at, 100)
                    told += not page.complete
                    got += [offset for offset, _ in page.publications]
                    at = page.offset
                    await asyncio.sleep(0.005)
            page = await c.history.read(ROOM, CHAT, at, 100)
            told += not page.complete
            got += [offset for offset, _ in page.publications]
            missing = set(publishing.result()) - set(got)
            assert got == sorted(set(got))
            assert not missing or told
