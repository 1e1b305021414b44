"""Contract of a history while its engine is there; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio
import tracemalloc

from ringway.ports import Page, Retention
from ringway.testing.contract.broker import HOSTILE_NAMES
from ringway.testing.contract.world import PATIENCE_S, Inbox, World, members, until
from ringway.types import Channel

ROOM, OTHER = Channel("chat:room"), Channel("chat:other")

CHAT = Retention("chat", 100, 600)
FEW = Retention("few", 4, 600)
SHORT = Retention("short", 100, 1)


def payloads(page: Page) -> list[bytes]:
    """Return the payloads of `page`, without the offsets."""
    return [payload for _, payload in page.publications]


class AppendContract:
    """An appended publication is stored, has a position, and reaches the subscribers once."""

    async def test_offsets_grow_and_name_the_one_before(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            positions = []
            for i in range(5):
                positions.append(await a.history.append(ROOM, b"%d" % i, CHAT))
                await a.history.append(OTHER, b"between", CHAT)
            assert await inbox.count(5) == [(ROOM, b"%d" % i) for i in range(5)]
            offsets = [position.offset for position in positions]
            assert offsets == sorted(set(offsets))
            assert offsets[0] > 0
            assert inbox.places == list(zip(offsets, [0, *offsets], strict=False))
            assert len({position.epoch for position in positions}) == 1

    async def test_who_missed_something_sees_it_by_the_next(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            seen = await a.history.append(ROOM, b"seen", CHAT)
            await inbox.count(1)
            await b.broker.unsubscribe(ROOM)
            missed = [await a.history.append(ROOM, b"missed %d" % i, CHAT) for i in range(3)]
            await b.broker.subscribe(ROOM)
            last = await a.history.append(ROOM, b"last", CHAT)
            assert (await inbox.count(2))[1] == (ROOM, b"last")
            assert inbox.places[1] == (last.offset, missed[-1].offset)
            assert inbox.places[1][1] != seen.offset
            page = await b.history.read(ROOM, CHAT, seen.offset, 10)
            assert (payloads(page), page.complete) == ([b"missed 0", b"missed 1", b"missed 2", b"last"], True)

    async def test_plain_publications_have_no_place_and_are_not_kept(self, world: World) -> None:
        async with members(world, 1) as (a,):
            inbox = Inbox(a)
            await a.broker.subscribe(ROOM)
            await a.broker.publish(ROOM, b"plain")
            kept = await a.history.append(ROOM, b"kept", CHAT)
            await a.broker.publish(ROOM, b"plain")
            await inbox.count(3)
            assert inbox.places == [(0, 0), (kept.offset, 0), (0, 0)]
            assert payloads(await a.history.read(ROOM, CHAT, None, 10)) == [b"kept"]

    async def test_a_publication_that_is_kept_reaches_every_subscriber_once(self, world: World) -> None:
        async with members(world, 3) as engines:
            inboxes = [Inbox(engine) for engine in engines]
            for engine in engines:
                await engine.broker.subscribe(ROOM)
            for i in range(20):
                await engines[i % 3].history.append(ROOM, b"%d" % i, CHAT)
            await engines[0].broker.publish(ROOM, b"end")
            for inbox in inboxes:
                assert await inbox.count(21) == [(ROOM, b"%d" % i) for i in range(20)] + [(ROOM, b"end")]
                assert inbox.places == inboxes[0].places

    async def test_many_under_way_keep_the_order_of_each_publisher(self, world: World) -> None:
        async with members(world, 3) as (a, b, c):
            inbox = Inbox(c)
            wide = Retention("wide", 1000, 600)
            await c.broker.subscribe(ROOM)
            async with asyncio.TaskGroup() as group:
                for i in range(250):
                    group.create_task(a.history.append(ROOM, b"a %d" % i, wide))
                    group.create_task(b.history.append(ROOM, b"b %d" % i, wide))
            got = [payload for _, payload in await inbox.count(500)]
            for who in (b"a", b"b"):
                assert [payload for payload in got if payload.startswith(who)] == [
                    b"%b %d" % (who, i) for i in range(250)
                ]
            offsets = [offset for offset, _ in inbox.places]
            assert [previous for _, previous in inbox.places] == [0, *offsets[:-1]]
            assert payloads(await a.history.read(ROOM, wide, 0, 1000)) == got

    async def test_payloads_are_bytes_and_may_be_large(self, world: World) -> None:
        sent = [b"", b"\r\n", bytes(range(256)), b"NATS/1.0\r\nNats-Sequence: 7\r\n\r\n", b"x" * (1 << 20)]
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            for payload in sent:
                await a.history.append(ROOM, payload, CHAT)
            assert [payload for _, payload in await inbox.count(len(sent))] == sent
            assert payloads(await b.history.read(ROOM, CHAT, 0, 10)) == sent

    async def test_a_flood_of_large_ones_arrives_or_is_told(self, world: World) -> None:
        """No engine may silently drop publications that come faster than a member receives them."""
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            told: list[bool] = []
            b.on_return.append(lambda: told.append(True))
            await b.broker.subscribe(ROOM)
            positions = await asyncio.gather(*(a.history.append(ROOM, bytes([i]) * (1 << 20), CHAT) for i in range(60)))
            offsets = [position.offset for position in positions]
            await until(lambda: bool(told) or (bool(inbox.places) and inbox.places[-1][0] == offsets[-1]))
            if not told:
                assert inbox.places == list(zip(offsets, [0, *offsets], strict=False))

    async def test_many_large_ones_are_read_whole(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await asyncio.gather(*(a.history.append(ROOM, bytes([i]) * (1 << 20), CHAT) for i in range(20)))
            page = await b.history.read(ROOM, CHAT, 0, 100)
            assert page.complete
            assert [payload[:1] for payload in payloads(page)] == [bytes([i]) for i in range(20)]

    async def test_every_legal_name_keeps_a_history_of_its_own(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            for name in HOSTILE_NAMES:
                await b.broker.subscribe(Channel(name))
            for name in HOSTILE_NAMES:
                await a.history.append(Channel(name), name.encode(), CHAT, key="the same for all")
            got = await inbox.count(len(HOSTILE_NAMES))
            assert sorted(got) == sorted((name, name.encode()) for name in HOSTILE_NAMES)
            for name in HOSTILE_NAMES:
                assert payloads(await b.history.read(Channel(name), CHAT, None, 10)) == [name.encode()]

    async def test_the_same_key_is_stored_once(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            hostile = "k\r\nNats-Sequence: 9\r\n\r\n ü"
            first = await a.history.append(ROOM, b"1", CHAT, key=hostile)
            await a.history.append(ROOM, b"2", CHAT)
            assert await b.history.append(ROOM, b"again", CHAT, key=hostile) == first
            assert await a.history.append(ROOM, b"again", CHAT, key=hostile) == first
            await a.history.append(ROOM, b"3", CHAT, key="another")
            await a.history.append(OTHER, b"elsewhere", CHAT, key=hostile)
            assert [payload for _, payload in await inbox.count(3)] == [b"1", b"2", b"3"]
            assert payloads(await a.history.read(ROOM, CHAT, 0, 10)) == [b"1", b"2", b"3"]
            assert payloads(await a.history.read(OTHER, CHAT, 0, 10)) == [b"elsewhere"]

    async def test_namespaces_are_kept_by_themselves_and_made_by_many_at_once(self, world: World) -> None:
        async with members(world, 4) as engines:
            await asyncio.gather(*(engine.history.keep(CHAT) for engine in engines))
            await asyncio.gather(*(engine.history.append(ROOM, b"", FEW) for engine in engines))
            assert len((await engines[0].history.read(ROOM, FEW, None, 10)).publications) == 4
            assert (await engines[0].history.read(ROOM, CHAT, None, 10)).publications == []
            first, second = await engines[1].history.position(ROOM, FEW), await engines[2].history.position(ROOM, CHAT)
            assert first.epoch != second.epoch


class ReadContract:
    """Stored publications can be read, and a page with missing publications is never complete."""

    async def test_a_page_says_what_came_after(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            start = await b.history.position(ROOM, CHAT)
            positions = [await a.history.append(ROOM, b"%d" % i, CHAT) for i in range(6)]
            for i, position in enumerate(positions):
                page = await b.history.read(ROOM, CHAT, position.offset, 10)
                assert page == (position.epoch, positions[-1].offset, page.publications, True)
                assert page.publications == [(positions[n].offset, b"%d" % n) for n in range(i + 1, 6)]
            assert await b.history.position(ROOM, CHAT) == positions[-1]
            assert start.epoch == positions[0].epoch
            assert payloads(await b.history.read(ROOM, CHAT, start.offset, 6)) == [b"%d" % i for i in range(6)]

    async def test_a_limit_cuts_and_says_so(self, world: World) -> None:
        async with members(world, 1) as (a,):
            positions = [await a.history.append(ROOM, b"%d" % i, CHAT) for i in range(6)]

            async def read(since: int | None, limit: int, reverse: bool = False) -> list[bytes]:
                page = await a.history.read(ROOM, CHAT, since, limit, reverse)
                assert not page.complete
                assert page.offset == positions[-1].offset
                return payloads(page)

            assert await read(positions[0].offset, 2) == [b"1", b"2"]
            assert await read(0, 2) == [b"0", b"1"]
            assert await read(positions[4].offset, 0) == []
            assert await read(None, 2) == [b"4", b"5"]
            assert await read(None, 100) == [b"0", b"1", b"2", b"3", b"4", b"5"]
            assert await read(positions[3].offset, 2, reverse=True) == [b"1", b"2"]
            assert await read(None, 2, reverse=True) == [b"4", b"5"]
            assert (await a.history.read(ROOM, CHAT, positions[-1].offset, 0)).complete
            assert (await a.history.read(ROOM, CHAT, positions[2].offset, 3)).complete

    async def test_who_came_before_the_first_publication_misses_none(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            for _ in range(3):
                await a.history.append(OTHER, b"not of this channel", CHAT)
            for _ in range(2):
                page = await b.history.read(ROOM, CHAT, 0, 10)
                assert (page.publications, page.complete) == ([], True)
            start = await b.history.position(ROOM, CHAT)
            page = await b.history.read(ROOM, CHAT, start.offset, 10)
            assert (page.epoch, page.publications, page.complete) == (start.epoch, [], True)
            await a.history.append(OTHER, b"not of this channel", CHAT)
            assert (await b.history.read(ROOM, CHAT, start.offset, 10)).complete
            await a.history.append(ROOM, b"1", CHAT)
            await a.history.append(OTHER, b"not of this channel", CHAT)
            await a.history.append(ROOM, b"2", CHAT)
            page = await b.history.read(ROOM, CHAT, start.offset, 10)
            assert (page.epoch, payloads(page), page.complete) == (start.epoch, [b"1", b"2"], True)

    async def test_what_was_trimmed_is_missed_and_said(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            start = await b.history.position(ROOM, FEW)
            positions = [await a.history.append(ROOM, b"%d" % i, FEW) for i in range(6)]
            for _ in range(6):
                await a.history.append(OTHER, b"of another channel", FEW)
            kept = [b"2", b"3", b"4", b"5"]
            for since in (start.offset, positions[0].offset):
                page = await b.history.read(ROOM, FEW, since, 10)
                assert (payloads(page), page.complete) == (kept, False)
            for i in range(2, 6):
                page = await b.history.read(ROOM, FEW, positions[i].offset, 10)
                assert (payloads(page), page.complete) == (kept[i - 1 :], True)

    async def test_what_has_expired_is_missed_and_said(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            first = await a.history.append(ROOM, b"1", SHORT)
            await a.history.append(ROOM, b"2", SHORT)

            async def expired() -> bool:
                return not (await b.history.read(ROOM, SHORT, None, 10)).publications

            async with asyncio.timeout(PATIENCE_S):
                while not await expired():
                    await world.pass_time(0.5)
            page = await b.history.read(ROOM, SHORT, first.offset, 10)
            assert (page.publications, page.complete) == ([], False)
            here = await b.history.position(ROOM, SHORT)
            assert here.epoch == first.epoch
            assert here.offset > first.offset
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            third = await a.history.append(ROOM, b"3", SHORT)
            await inbox.count(1)
            assert inbox.places == [(third.offset, 0)]
            assert not (await b.history.read(ROOM, SHORT, first.offset, 10)).complete
            page = await b.history.read(ROOM, SHORT, here.offset, 10)
            assert (payloads(page), page.complete) == ([b"3"], True)

    async def test_a_place_that_nobody_can_have_proves_nothing(self, world: World) -> None:
        async with members(world, 1) as (a,):
            for i in range(3):
                last = await a.history.append(ROOM, b"%d" % i, CHAT)
            for since in (last.offset + 1, last.offset + 1_000_000, (1 << 53) - 1):
                page = await a.history.read(ROOM, CHAT, since, 10)
                assert (page.publications, page.complete) == ([], False)
                assert page.offset == last.offset

    async def test_a_smaller_and_a_larger_size_hold_and_prove_no_more_than_they_can(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            start = await a.history.position(ROOM, FEW)
            for i in range(6):
                await a.history.append(ROOM, b"%d" % i, FEW)
            larger = Retention(FEW.namespace, 8, FEW.ttl_s)
            await a.history.keep(larger)
            await b.history.keep(larger)
            assert not (await b.history.read(ROOM, larger, start.offset, 10)).complete
            for i in range(6, 9):
                await b.history.append(ROOM, b"%d" % i, larger)
            assert payloads(await a.history.read(ROOM, larger, 0, 10)) == [b"%d" % i for i in range(2, 9)]
            smaller = Retention(FEW.namespace, 2, FEW.ttl_s)
            await a.history.keep(smaller)
            assert payloads(await b.history.read(ROOM, smaller, 0, 10)) == [b"7", b"8"]

    async def test_a_reader_and_a_subscriber_together_get_everything_once(self, world: World) -> None:
        """The order of a node: subscribe first, then read a page, then use the deliveries after it."""
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            wide = Retention("wide", 1000, 600)
            await a.history.keep(wide)
            sent = [b"%d" % i for i in range(300)]
            stored: list[int] = []

            async def publish() -> None:
                for payload in sent:
                    position = await a.history.append(ROOM, payload, wide)
                    stored.append(position.offset)

            async with asyncio.TaskGroup() as group:
                group.create_task(publish())
                await until(lambda: len(stored) > 50)
                await b.broker.subscribe(ROOM)
                page = await b.history.read(ROOM, wide, 0, 1000)
            await until(lambda: page.offset == stored[-1] or (stored[-1] in [offset for offset, _ in inbox.places]))
            beyond = zip(inbox.got, inbox.places, strict=True)
            later = [payload for (_, payload), (offset, _) in beyond if offset > page.offset]
            assert page.complete
            assert payloads(page) + later == sent


class BoundContract:
    """Pages of a history that stores more of a channel than its reader can accept."""

    async def test_a_page_ends_before_the_publication_that_would_take_it_over_its_bytes(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            wide = Retention("wide", 1000, 600)
            start = await a.history.position(ROOM, wide)
            sent = [b"%03d" % i + b"x" * 997 for i in range(40)]
            stored = [await a.history.append(ROOM, payload, wide) for payload in sent]
            for bytes_max, count in ((1, 1), (1000, 1), (2500, 2), (39_999, 39)):
                page = await b.history.read(ROOM, wide, start.offset, 1000, bytes_max=bytes_max)
                assert (payloads(page), page.complete, page.offset) == (sent[:count], False, stored[-1].offset)
                page = await b.history.read(ROOM, wide, None, 1000, True, bytes_max=bytes_max)
                assert (payloads(page), page.offset) == (sent[-count:], stored[-1].offset)
                page = await b.history.read(ROOM, wide, stored[39].offset, 1000, True, bytes_max=bytes_max)
                assert payloads(page) == sent[39 - count : 39]
            assert payloads(await b.history.read(ROOM, wide, stored[7].offset, 5, bytes_max=3000)) == sent[8:11]
            page = await b.history.read(ROOM, wide, start.offset, 1000, bytes_max=40_000)
            assert (payloads(page), page.complete) == (sent, True)

    async def test_what_is_left_out_of_a_page_is_not_fetched(self, world: World) -> None:
        async with members(world, 1) as (a,):
            wide = Retention("wide", 1000, 600)
            sent = [b"%03d" % i + b"x" * 60_000 for i in range(100)]
            await asyncio.gather(*(a.history.append(ROOM, payload, wide) for payload in sent))
            for since, reverse, expected in ((0, False, sent[:8]), (None, True, sent[-8:])):
                tracemalloc.start()
                page = await a.history.read(ROOM, wide, since, 1000, reverse, bytes_max=500_000)
                _, peak_bytes = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                assert payloads(page) == expected
                assert peak_bytes < 4_000_000, "6 MB are kept"


class HistoryContract(AppendContract, ReadContract, BoundContract):
    """All tests of a history while the engine is there."""
