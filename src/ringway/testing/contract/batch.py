"""Contract of batches of publications, with and without history; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio
from collections.abc import Sequence

from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.ports import Engine, HistoryEntry, Position, Retention
from ringway.testing.contract.broker import HOSTILE_NAMES
from ringway.testing.contract.history import CHAT, OTHER, ROOM, SHORT, payloads
from ringway.testing.contract.world import PATIENCE_S, Inbox, World, members, until
from ringway.types import Channel

TOO_LARGE_BYTES = (64 << 20) + 1
"""More than any engine takes as one publication; an engine without a bound takes it."""


class BatchContract:
    """Each publication of a batch is accepted or refused by itself, and the batch keeps its order."""

    async def test_a_batch_reaches_the_subscribers_of_each_channel_in_order(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inboxes = [Inbox(a), Inbox(b)]
            for engine in (a, b):
                for channel in (ROOM, OTHER):
                    await engine.broker.subscribe(channel)
            batch = [(channel, b"%d" % i) for i in range(300) for channel in (ROOM, OTHER, Channel("nobody"))]
            assert await publish_many(a, batch) == [None] * 900
            for inbox in inboxes:
                got = await inbox.count(600)
                for channel in (ROOM, OTHER):
                    assert [payload for at, payload in got if at == channel] == [b"%d" % i for i in range(300)]
                assert set(inbox.places) == {(0, 0)}

    async def test_a_batch_is_stored_in_order_and_each_has_its_position(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inboxes = [Inbox(a), Inbox(b)]
            for engine in (a, b):
                await engine.broker.subscribe(ROOM)
            batch = [(channel, b"%d" % i, "") for i in range(40) for channel in (ROOM, OTHER)]
            positions = stored(await append_many(a, batch, CHAT))
            for at, channel in enumerate((ROOM, OTHER)):
                page = await b.history.read(channel, CHAT, 0, 100)
                assert page.publications == [(positions[2 * i + at].offset, b"%d" % i) for i in range(40)]
                assert {position.epoch for position in positions[at::2]} == {page.epoch}
            offsets = [position.offset for position in positions[::2]]
            for inbox in inboxes:
                assert await inbox.count(40) == [(ROOM, b"%d" % i) for i in range(40)]
                assert inbox.places == list(zip(offsets, [0, *offsets], strict=False))

    async def test_every_legal_name_may_be_in_a_batch(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            for name in HOSTILE_NAMES:
                await b.broker.subscribe(Channel(name))
            stored(await append_many(a, [(Channel(name), name.encode(), "k") for name in HOSTILE_NAMES], CHAT))
            await publish_many(a, [(Channel(name), b"plain") for name in HOSTILE_NAMES])
            got = await inbox.count(2 * len(HOSTILE_NAMES))
            assert sorted(got) == sorted(
                (Channel(name), payload) for name in HOSTILE_NAMES for payload in (name.encode(), b"plain")
            )

    async def test_batches_and_single_publications_keep_their_order(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            async with asyncio.TaskGroup() as group:
                for i in range(0, 60, 3):
                    group.create_task(a.history.append(ROOM, b"%d" % i, CHAT))
                    group.create_task(append_many(a, [(ROOM, b"%d" % n, "") for n in (i + 1, i + 2)], CHAT))
            assert await inbox.count(60) == [(ROOM, b"%d" % i) for i in range(60)]
            async with asyncio.TaskGroup() as group:
                for i in range(60, 120, 3):
                    group.create_task(a.broker.publish(ROOM, b"%d" % i))
                    group.create_task(publish_many(a, [(ROOM, b"%d" % n) for n in (i + 1, i + 2)]))
            assert (await inbox.count(120))[60:] == [(ROOM, b"%d" % i) for i in range(60, 120)]

    async def test_an_empty_batch_has_no_outcomes(self, world: World) -> None:
        async with members(world, 1) as (a,):
            assert await publish_many(a, []) == []
            assert await append_many(a, [], CHAT) == []

    async def test_a_key_counts_in_a_batch_beside_it_and_at_other_members(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            first = await b.history.append(ROOM, b"1", CHAT, key="first")
            batch = [
                (ROOM, b"again", "first"),
                (ROOM, b"2", "second"),
                (ROOM, b"again", "second"),
                (OTHER, b"3", "second"),
            ]
            again, second, twice, other = stored(await append_many(a, batch, CHAT))
            assert (again, twice) == (first, second)
            assert second.offset > first.offset
            assert await b.history.append(ROOM, b"again", CHAT, key="second") == second
            assert stored(await append_many(b, batch, CHAT)) == [first, second, second, other]
            assert await inbox.count(2) == [(ROOM, b"1"), (ROOM, b"2")]
            assert payloads(await a.history.read(ROOM, CHAT, 0, 10)) == [b"1", b"2"]
            assert payloads(await a.history.read(OTHER, CHAT, 0, 10)) == [b"3"]

    async def test_a_key_is_forgotten_with_what_it_named(self, world: World) -> None:
        async with members(world, 1) as (a,):
            (first,) = stored(await append_many(a, [(ROOM, b"1", "k")], SHORT))
            await world.pass_time(2 * SHORT.ttl_s)

            async def is_new() -> bool:
                (later,) = stored(await append_many(a, [(ROOM, b"2", "k")], SHORT))
                return later.offset > first.offset

            async with asyncio.timeout(20):
                while not await is_new():
                    await world.pass_time(SHORT.ttl_s)

    async def test_what_is_refused_does_not_prevent_the_others(self, world: World) -> None:
        large = bytes(TOO_LARGE_BYTES)
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            kept = await append_many(a, [(ROOM, b"1", ""), (OTHER, large, ""), (ROOM, b"2", "")], CHAT)
            plain = await publish_many(a, [(ROOM, b"3"), (OTHER, large), (ROOM, b"4")])
            stored([kept[0], kept[2]])
            assert plain[0] is plain[2] is None
            assert isinstance(kept[1], EngineUnsuitable) == isinstance(plain[1], EngineUnsuitable)
            assert await inbox.count(4) == [(ROOM, b"%d" % i) for i in range(1, 5)]
            if isinstance(kept[1], EngineError):
                assert payloads(await a.history.read(OTHER, CHAT, 0, 10)) == []
            assert not a.problem

    async def test_while_away_each_is_refused_and_nothing_is_sent_later(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(ROOM)
            stored(await append_many(a, [(ROOM, b"before", "")], CHAT))
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            outcomes: Sequence[object] = [
                *await publish_many(a, [(ROOM, b"refused"), (OTHER, b"refused")]),
                *await append_many(a, [(ROOM, b"refused", ""), (OTHER, b"refused", "")], CHAT),
            ]
            assert [type(outcome) for outcome in outcomes] == [EngineAway] * 4
            await world.come_back()
            await until(lambda: a.up and b.up)
            stored(await append_many(a, [(ROOM, b"after", "")], CHAT))
            await inbox.count(2)
            assert payloads(await b.history.read(ROOM, CHAT, 0, 10)) == [b"before", b"after"]
            assert (ROOM, b"refused") not in inbox.got

    async def test_what_is_acknowledged_outlives_the_loss_of_the_connection(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await a.history.keep(CHAT)
            sent = [[b"%d %d" % (batch, i) for i in range(20)] for batch in range(4)]
            entries = [[(ROOM, payload, payload.decode()) for payload in each] for each in sent]
            stored(await append_many(a, entries[0], CHAT))
            confirmed, unknown = set(sent[0]), set()
            async with asyncio.TaskGroup() as group:
                under_way = [group.create_task(append_many(a, each, CHAT)) for each in entries[1:]]
                await world.go_away()
            for payloads_sent, task in zip(sent[1:], under_way, strict=True):
                for payload, outcome in zip(payloads_sent, task.result(), strict=True):
                    if isinstance(outcome, Position):
                        confirmed.add(payload)
                    elif not outcome.temporary:
                        unknown.add(payload)
            await until(lambda: not a.up and not b.up)
            await world.come_back()
            await until(lambda: a.up and b.up)
            kept = payloads(await b.history.read(ROOM, CHAT, 0, 100))
            assert confirmed <= set(kept) <= confirmed | unknown
            for each in entries:
                stored(await append_many(b, each, CHAT))
            kept = payloads(await b.history.read(ROOM, CHAT, 0, 100))
            assert sorted(kept) == sorted(payload for each in sent for payload in each), "each once, by its key"


async def publish_many(engine: Engine, publications: Sequence[tuple[Channel, bytes]]) -> list[EngineError | None]:
    """Publish a batch, with all the patience of a test."""
    return await engine.broker.publish_many(publications, deadline_s=PATIENCE_S)


async def append_many(
    engine: Engine, entries: Sequence[HistoryEntry], retention: Retention
) -> list[Position | EngineError]:
    """Append a batch, with all the patience of a test."""
    return await engine.history.append_many(entries, retention, deadline_s=PATIENCE_S)


def stored(outcomes: Sequence[Position | EngineError]) -> list[Position]:
    """Return the positions; raise the error of the first that was not stored."""
    for outcome in outcomes:
        if isinstance(outcome, EngineError):
            raise outcome
    return [outcome for outcome in outcomes if isinstance(outcome, Position)]
