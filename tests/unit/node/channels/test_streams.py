"""Streams of one or two nodes over a memory engine: cuts and replay buffers, recovery, gaps, outages."""

import asyncio
import json

import pytest

from ringway.core.replay_buffer import ReplayEntry
from ringway.core.stream import Cut
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import EngineAway
from ringway.ports import Page
from ringway.protocol.envelope import PUBLICATION
from ringway.types import Channel
from unit.node.stream_kit import KEPT, PLAIN, Node, Sink, data_of

SHORT = Channel("short:a")


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
def donor(hub: MemoryHub) -> Node:
    return Node(hub, 1)


@pytest.fixture
def target(hub: MemoryHub) -> Node:
    return Node(hub, 2)


def lost(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Drop a message on its way from the engine."""


async def settle(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.mark.parametrize("channel", [KEPT, PLAIN])
async def test_a_session_moves_between_two_publications_and_loses_and_doubles_nothing(
    donor: Node, target: Node, channel: Channel
) -> None:
    sink = await donor.join(channel)
    await donor.publish(channel, 1, 2)
    await settle()
    await target.streams.obtain(channel)
    lease = target.streams.lease(channel)
    await donor.publish(channel, 3)
    await target.publish(channel, 4)
    await settle()
    cut = donor.streams.snapshot(channel)
    donor.leave(channel, sink)
    assert sink.seen == [1, 2, 3, 4]
    await donor.publish(channel, 5)
    await target.publish(channel, 6)
    await settle()
    missed = await target.streams.since(channel, cut, lease)
    reached = target.streams.snapshot(channel)
    assert data_of(missed) == [5, 6]
    await target.publish(channel, 7)
    await settle()
    more = target.streams.after(channel, reached, lease)
    moved = await target.join(channel)
    lease.release()
    assert data_of(more) == [7]
    await donor.publish(channel, 8)
    await settle()
    assert moved.seen == [8]


@pytest.mark.parametrize("channel", [KEPT, PLAIN])
async def test_what_was_gathered_in_this_turn_is_sent_before_a_cut(donor: Node, channel: Channel) -> None:
    sink = await donor.join(channel)
    before = donor.streams.snapshot(channel)
    lease = donor.streams.lease(channel)
    offset = before.offset + 1 if channel is KEPT else 0
    donor.streams.fanout.deliver(channel, donor.origin.seal(PUBLICATION, channel, b'{"data":1}'), offset, 0)
    assert sink.seen == []
    cut = donor.streams.snapshot(channel)
    assert sink.seen == [1]
    assert (cut.offset, cut.heard) == ((offset, {}) if channel is KEPT else (0, {"00000001": 1}))
    assert data_of(donor.streams.after(channel, before, lease)) == [1]
    lease.release()
    await settle()
    assert sink.seen == [1]


@pytest.mark.parametrize("channel", [KEPT, PLAIN])
async def test_what_was_gathered_is_not_for_those_who_join_after_it(donor: Node, channel: Channel) -> None:
    await donor.join(channel)
    cut = donor.streams.snapshot(channel)
    lease = donor.streams.lease(channel)
    offset = cut.offset + 1 if channel is KEPT else 0
    donor.streams.fanout.deliver(channel, donor.origin.seal(PUBLICATION, channel, b'{"data":1}'), offset, 0)
    assert data_of(donor.streams.after(channel, cut, lease)) == [1]
    sink = donor.put(channel, Sink(donor))
    await settle()
    assert sink.seen == []
    lease.release()


async def test_a_target_that_is_behind_catches_up_before_the_session_joins(donor: Node, target: Node) -> None:
    await donor.join(KEPT)
    await target.streams.obtain(KEPT)
    lease = target.streams.lease(KEPT)
    target.engine.broker.attach(lost)
    await donor.publish(KEPT, 1, 2)
    await settle()
    target.engine.broker.attach(target.streams.fanout.deliver)
    cut = donor.streams.snapshot(KEPT)
    assert cut.offset > target.streams.snapshot(KEPT).offset
    assert await target.streams.since(KEPT, cut, lease) == []
    assert target.streams.snapshot(KEPT).offset == cut.offset


async def test_without_history_a_message_on_its_way_is_waited_for(donor: Node, target: Node) -> None:
    await donor.join(PLAIN)
    await target.streams.obtain(PLAIN)
    lease = target.streams.lease(PLAIN)
    await donor.publish(PLAIN, 1)
    await settle()
    late = list[tuple[Channel, bytes, int, int]]()
    target.engine.broker.attach(lambda *message: late.append(message))
    await donor.publish(PLAIN, 2)
    await settle()
    target.engine.broker.attach(target.streams.fanout.deliver)
    waiting = asyncio.ensure_future(target.streams.since(PLAIN, donor.streams.snapshot(PLAIN), lease))
    await settle()
    assert not waiting.done()
    target.streams.fanout.deliver(*late[0])
    assert await waiting == []


async def test_joins_and_leaves_are_for_those_who_watch(donor: Node, target: Node) -> None:
    for channel in (KEPT, PLAIN):
        await target.streams.obtain(channel)
        lease = target.streams.lease(channel)
        cut = target.streams.snapshot(channel)
        await donor.note(channel, "c")
        await donor.publish(channel, 1)
        await settle()
        assert data_of(await target.streams.since(channel, cut, lease)) == [1]
        assert set(data_of(await target.streams.since(channel, cut, lease, watching=True))) == {1, "c"}
        lease.release()


async def test_a_tail_that_overflows_is_made_good_by_history_or_said(hub: MemoryHub) -> None:
    node = Node(hub, tail_bytes_max=1500)
    for channel in (KEPT, PLAIN):
        await node.streams.obtain(channel)
        lease = node.streams.lease(channel)
        cut = node.streams.snapshot(channel)
        await node.publish(channel, *range(10))
        await settle(20)
        assert node.streams.after(channel, cut, lease) is None
        assert await node.streams.since(channel, cut, lease) is None, "more than a buffer can hold"
        lease.release()
    await node.streams.obtain(KEPT)
    cut = node.streams.snapshot(KEPT)
    await node.publish(KEPT, 10, 11)
    await settle()
    lease = node.streams.lease(KEPT)
    assert node.streams.after(KEPT, cut, lease) is not None or data_of(await node.streams.since(KEPT, cut, lease))
    lease.release()


async def test_what_came_before_the_tail_is_read_from_history(donor: Node) -> None:
    await donor.streams.obtain(KEPT)
    cut = donor.streams.snapshot(KEPT)
    await donor.publish(KEPT, 1, 2)
    await settle()
    lease = donor.streams.lease(KEPT)
    await donor.publish(KEPT, 3)
    await settle()
    assert donor.streams.after(KEPT, cut, lease) is None
    assert data_of(await donor.streams.since(KEPT, cut, lease)) == [1, 2, 3]
    assert data_of(donor.streams.after(KEPT, cut, lease)) == [1, 2, 3]
    assert donor.stats.history_reads == 1


async def test_another_epoch_and_a_channel_that_is_gone_prove_nothing(donor: Node) -> None:
    await donor.streams.obtain(KEPT)
    lease = donor.streams.lease(KEPT)
    assert await donor.streams.since(KEPT, Cut("other", 0), lease) is None
    assert donor.streams.after(KEPT, Cut("other", 0), lease) is None
    donor.streams.unfollow(KEPT)
    assert await donor.streams.since(KEPT, Cut("other", 0), lease) is None
    with pytest.raises(KeyError):
        donor.streams.snapshot(KEPT)
    lease.release()


@pytest.mark.parametrize("channel", [KEPT, PLAIN])
async def test_a_hold_keeps_the_channel(donor: Node, channel: Channel) -> None:
    await donor.streams.obtain(channel)
    lease, second = donor.streams.lease(channel), donor.streams.lease(channel)
    donor.streams.release(channel)
    donor.now += 100
    donor.streams.sweep()
    assert donor.streams.interest.holds(channel)
    lease.release()
    lease.release()
    donor.now += 100
    donor.streams.sweep()
    assert donor.streams.interest.holds(channel)
    second.release()
    for _ in range(3):
        donor.now += 100
        donor.streams.sweep()
    assert not donor.streams.interest.holds(channel)
    await settle()


async def test_a_recovery_lingers_for_the_next(donor: Node) -> None:
    sink = await donor.join(KEPT)
    start = donor.streams.snapshot(KEPT)
    await donor.publish(KEPT, *range(10))
    await settle(20)
    assert len(sink.seen) == 10
    for _ in range(3):
        found = await donor.streams.recover(KEPT, start.epoch, start.offset)
        assert found is not None
        assert len(found) == 10
    await donor.publish(KEPT, 10)
    await settle()
    found = await donor.streams.recover(KEPT, start.epoch, start.offset)
    assert found is not None
    assert len(found) == 11
    assert donor.stats.history_reads == 1
    donor.now += 100
    donor.streams.sweep()
    await donor.streams.recover(KEPT, start.epoch, start.offset)
    assert donor.stats.history_reads == 2


async def test_laggards_do_not_spoil_the_recovery_of_others(donor: Node) -> None:
    await donor.join(SHORT)
    start = donor.streams.snapshot(SHORT)
    await donor.publish(SHORT, *range(6))
    await settle(20)
    offsets = [offset for offset, _ in (await donor.history(SHORT)).publications]  # the last three
    answers = await asyncio.gather(
        *(donor.streams.recover(SHORT, start.epoch, offset) for offset in (start.offset, start.offset + 1, *offsets))
    )
    assert [None if found is None else len(found) for found in answers] == [None, None, 2, 1, 0]
    assert donor.stats.history_reads <= 3


async def test_who_missed_too_much_does_not_spoil_it_for_those_who_did_not(hub: MemoryHub) -> None:
    node = Node(hub, recovery_publications_max=5)
    await node.join(KEPT)
    start = node.streams.snapshot(KEPT)
    await node.publish(KEPT, *range(60))
    await settle(70)
    offsets = [start.offset, *(offset for offset, _ in (await node.history(KEPT)).publications)]
    late, early = offsets[:8], offsets[-21:]  # of these the last 6 missed 5 or fewer
    answers = await asyncio.gather(
        *(node.streams.recover(KEPT, start.epoch, offset) for offset in (*late, *early) for _ in range(3))
    )
    served = [None if found is None else len(found) for found in answers][::3]
    assert served == [None] * 23 + [5, 4, 3, 2, 1, 0]
    assert node.stats.history_reads <= 8


async def test_who_has_history_read_in_vain_pays_for_it_and_nobody_else(hub: MemoryHub) -> None:
    node = Node(hub, recovery_publications_max=20)
    sink = await node.join(KEPT)
    start = node.streams.snapshot(KEPT)
    await node.publish(KEPT, *range(40))
    await settle(20)
    assert len(sink.seen) == 40
    paid: list[list[int]] = [[], [], []]
    asked = [start.offset, start.offset, start.offset + 30]
    found = await asyncio.gather(
        *(node.streams.recover(KEPT, start.epoch, offset, paid[n].append) for n, offset in enumerate(asked))
    )
    assert [None if one is None else len(one) for one in found] == [None, None, 10]
    read = sum(len(payload) for _, payload in (await node.history(KEPT)).publications[:20])
    assert paid[0][0] >= read
    assert paid[1:] == [[0], []]


async def test_an_engine_that_does_not_tell_is_an_error_and_not_a_loss(donor: Node, hub: MemoryHub) -> None:
    await donor.join(KEPT)
    start = donor.streams.snapshot(KEPT)
    await donor.publish(KEPT, 1)
    await settle()
    hub.away = True
    with pytest.raises(EngineAway):
        await donor.streams.recover(KEPT, start.epoch, start.offset)
    hub.away = False
    assert await donor.streams.recover(KEPT, start.epoch, start.offset)


async def test_a_stale_answer_of_the_engine_is_asked_for_again(donor: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await donor.join(KEPT)
    start = donor.streams.snapshot(KEPT)
    await donor.publish(KEPT, 1, 2)
    await settle()
    read = donor.engine.history.read
    stale = [Page(start.epoch, start.offset, [], complete=True)]

    async def lagging(*arguments: object, **more: object) -> Page:
        return stale.pop() if stale else await read(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(donor.engine.history, "read", lagging)
    found = await donor.streams.recover(KEPT, start.epoch, start.offset)
    assert found is not None
    assert len(found) == 2


async def test_an_outage_is_checked_in_all_channels_and_a_few_at_a_time(
    donor: Node, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = [Channel(f"kept:{n}") for n in range(100)]
    for channel in channels[:50]:
        await donor.streams.obtain(channel)
    sinks = [await donor.join(channel) for channel in channels[50:]]
    read, under_way, most, order = donor.engine.history.read, 0, 0, list[Channel]()

    async def slowly(channel: Channel, *arguments: object, **more: object) -> Page:
        nonlocal under_way, most
        order.append(channel)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return await read(channel, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(donor.engine.history, "read", slowly)
    donor.engine.broker.attach(lost)
    for number, channel in enumerate(channels[50:]):
        await donor.publish(channel, number)
    await settle()
    donor.engine.broker.attach(donor.streams.fanout.deliver)
    hub.away = True
    hub.away = False
    async with asyncio.timeout(10):
        while len(order) < 100:
            await asyncio.sleep(0.01)
    assert [sink.seen for sink in sinks] == [[number] for number in range(50)]
    assert set(order[:50]) == set(channels[50:])
    assert most <= 16


async def test_a_channel_in_which_something_arrives_does_not_wait_for_its_turn(
    donor: Node, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = [Channel(f"kept:{n}") for n in range(40)]
    sinks = {channel: await donor.join(channel) for channel in channels}
    read, gate = donor.engine.history.read, asyncio.Event()

    async def slowly(channel: Channel, *arguments: object, **more: object) -> Page:
        if channel != channels[-1]:
            await gate.wait()
        return await read(channel, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(donor.engine.history, "read", slowly)
    hub.away = True
    hub.away = False
    await settle()
    await donor.publish(channels[-1], "now")
    async with asyncio.timeout(10):
        while sinks[channels[-1]].seen != ["now"]:
            await asyncio.sleep(0.01)
    gate.set()
    await donor.streams.aclose()


async def test_a_read_that_fails_is_tried_again_and_then_told(donor: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringway.node.channels.catchup.PAUSE_S", 0.001)
    monkeypatch.setattr("ringway.node.channels.catchup.PAUSE_MAX_S", 0.001)
    sink = await donor.join(KEPT)
    fails = [2]
    read = donor.engine.history.read

    async def failing(*arguments: object, **more: object) -> Page:
        if fails[0]:
            fails[0] -= 1
            raise EngineAway("for a moment")
        return await read(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(donor.engine.history, "read", failing)
    donor.engine.broker.attach(lost)
    await donor.publish(KEPT, 1)
    await settle()
    donor.engine.broker.attach(donor.streams.fanout.deliver)
    await donor.publish(KEPT, 2)
    async with asyncio.timeout(10):
        while sink.seen != [1, 2]:
            await asyncio.sleep(0.01)
    fails[0] = 1000
    donor.engine.broker.attach(lost)
    await donor.publish(KEPT, 3)
    await settle()
    donor.engine.broker.attach(donor.streams.fanout.deliver)
    await donor.publish(KEPT, 4)
    async with asyncio.timeout(10):
        while sink.closed is None:
            await asyncio.sleep(0.01)
    assert sink.closed[0] == 3010


async def test_a_hold_is_over_where_publications_are_missing(donor: Node, hub: MemoryHub) -> None:
    await donor.streams.obtain(SHORT)
    lease = donor.streams.lease(SHORT)
    cut = donor.streams.snapshot(SHORT)
    donor.engine.broker.attach(lost)
    await donor.publish(SHORT, *range(6))
    await settle(20)
    donor.engine.broker.attach(donor.streams.fanout.deliver)
    hub.away = True
    hub.away = False
    async with asyncio.timeout(10):
        while not donor.stats.lost:
            await asyncio.sleep(0)
    assert await donor.streams.since(SHORT, cut, lease) is None
    assert donor.streams.after(SHORT, donor.streams.snapshot(SHORT), lease) is None
    lease.release()


async def test_a_tail_that_lingers_is_taken_up_again(donor: Node) -> None:
    await donor.join(KEPT)
    donor.streams.lease(KEPT).release()
    cut = donor.streams.snapshot(KEPT)
    lease = donor.streams.lease(KEPT)
    donor.now += 100
    donor.streams.sweep()
    await donor.publish(KEPT, 1)
    await settle()
    assert data_of(donor.streams.after(KEPT, cut, lease)) == [1]


async def test_a_position_of_another_epoch_is_not_asked_for(donor: Node) -> None:
    await donor.join(KEPT)
    assert await donor.streams.recover(KEPT, "other", 1_000_000) is None
    assert donor.stats.history_reads == 0


async def test_a_position_that_nobody_can_have_is_not_recovered(donor: Node) -> None:
    await donor.join(KEPT)
    assert await donor.streams.recover(KEPT, donor.streams.snapshot(KEPT).epoch, 1_000_000) is None
    assert donor.stats.history_reads == 1


async def test_who_knows_no_place_is_given_all_that_is_kept_though_older_ones_have_expired() -> None:
    now = 0.0
    hub = MemoryHub(now=lambda: now)
    writer, reader = Node(hub, 1), Node(hub, 2)
    await writer.publish(KEPT, 1, 2)
    now += 200
    await writer.publish(KEPT, 3, 4)
    now += 200  # the first two were kept for 300 s
    await reader.streams.obtain(KEPT)
    epoch = reader.streams.snapshot(KEPT).epoch
    assert await reader.streams.recover(KEPT, epoch, 0) is None
    assert data_of_entries(await reader.streams.recover(KEPT, "", 0)) == [3, 4]
    lease = reader.streams.lease(KEPT)
    await writer.publish(KEPT, 5)
    await settle()
    assert data_of_entries(await reader.streams.recover(KEPT, "", 0)) == [3, 4, 5]
    lease.release()
    now += 400
    other = Node(hub, 3)
    await other.streams.obtain(KEPT)
    assert data_of_entries(await other.streams.recover(KEPT, "", 0)) == []


async def test_who_knows_no_place_is_told_where_the_size_has_cut_publications_off(donor: Node, target: Node) -> None:
    await donor.publish(SHORT, 1, 2, 3, 4)
    await target.streams.obtain(SHORT)
    assert await target.streams.recover(SHORT, "", 0) is None


def data_of_entries(entries: list[ReplayEntry] | None) -> list[object]:
    assert entries is not None
    return [json.loads(entry.body)["data"] for entry in entries]
