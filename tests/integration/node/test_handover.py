"""Sessions that go from node to node, over real sockets: nothing lost, doubled or out of order, in either direction."""

import asyncio
import re
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.follower import FOLLOWS, MARK, Follower, resuming
from integration.node.kit import CLOSE, N1, N2, PATH, Peer, ask, eventually, frame, head, order
from ringway.core.handover import TargetState
from ringway.core.session import VERSION
from ringway.engine.memory.bus import MemoryBus
from ringway.engine.memory.engine import MemoryBroker, MemoryHub
from ringway.node.server import ChannelNode
from ringway.node.sessions import target as arrival
from ringway.protocol.move import Move
from ringway.protocol.order import MoveOrder, NodeConsent, SetState
from ringway.types import Channel, NodeName

KEPT, PLAIN = "kept:room", "plain:room"
"""A channel with history and one without, by `NAMESPACES`."""

NAMESPACES = ("live:join_leave=true", "kept:history_size=1000", "plain:history_size=0")


OUTCOMES = ("handed_over", "reconnected", "lost", "apart")
"""The outcomes of moves, as reports name them."""

Follow = Callable[..., Awaitable[Follower]]

either_way = pytest.mark.parametrize("follow", ["", MARK], indirect=True, ids=["by close", "by message"])
"""Told of moves by the close frame (PROTOCOL.md P-7.7), or by a message (P-7.10)."""


@pytest.fixture
async def follow(request: pytest.FixtureRequest) -> AsyncIterator[Follow]:
    """Open a session that follows moves; `follow(node, others..., channels=(...))`. Its parameter is the mark."""
    followers: list[Follower] = []

    async def open_follower(*nodes: ChannelNode, channels: tuple[str, ...] = ()) -> Follower:
        followers.append(await Follower.open(*nodes, channels=channels, mark=getattr(request, "param", "")))
        return followers[-1]

    yield open_follower
    for follower in followers:
        follower.peer.abort()


@pytest.fixture
async def pair(request: pytest.FixtureRequest, start_node: StartNode) -> tuple[ChannelNode, ChannelNode]:
    """Two nodes; the parameter is for how long they keep what they gathered of presence."""
    settings = {"namespaces": NAMESPACES, "move_cool_down_s": 0.0, "presence_keep_s": getattr(request, "param", 0.0)}
    donor = await start_node("n1", **settings)
    target = await start_node("n2", **settings)
    return donor, target


async def counted(donor: ChannelNode, target: ChannelNode, **expected: int) -> None:
    """Wait until both nodes together report exactly one outcome of each move: `expected`, by its name."""

    def reported() -> dict[str, int]:
        reports = (donor.report(), target.report())
        return {name: count for name in OUTCOMES if (count := sum(getattr(report, name) for report in reports))}

    await eventually(lambda: reported() == expected)


def back(count: int, *, fence: int = 1) -> MoveOrder:
    """An order to move connections to n1."""
    return MoveOrder(fence=fence, target=N1, count=count, within_s=0.0)


@asynccontextmanager
async def held_back(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], None]]:
    """Let no publication be confirmed until the yielded function is called."""
    go = asyncio.Event()
    publish = MemoryBroker.publish

    async def later(broker: MemoryBroker, channel: Channel, payload: bytes) -> None:
        await go.wait()
        await publish(broker, channel, payload)

    monkeypatch.setattr(MemoryBroker, "publish", later)
    yield go.set
    go.set()


@either_way
@pytest.mark.parametrize("channel", [KEPT, PLAIN])
async def test_what_is_published_during_a_move_arrives_once_and_in_order(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub, channel: str
) -> None:
    donor, target = pair
    publisher = await dial(target, connect=True, path=f"{PATH}?pin=1")
    follower = await follow(donor, target, channels=(channel,))
    reading = asyncio.create_task(follower.run(channel, 599))
    for number in range(600):
        await publisher.publish(channel, number)
        if number % 200 == 100:
            on = N1 if donor.connections else N2
            assert await ask(hub, order(1) if on is N1 else back(1), on) == NodeConsent()
        await asyncio.sleep(0)
    assert await reading == list(range(600))
    assert donor.stats.handovers + target.stats.handovers >= 1
    assert donor.stats.handovers_failed == target.stats.handovers_failed == 0


async def test_the_session_is_the_same_at_the_target(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target, channels=(KEPT, PLAIN))
    client = follower.got[0]["connect"]["client"]
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.connections == 1)
    assert (donor.connections, target.stats.resumed, donor.stats.handovers) == (0, 1, 1)
    await counted(donor, target, handed_over=1)
    number = follower.send(publish={"channel": PLAIN, "data": "mine"})
    assert "publish" in await follower.reply(number)
    await follower.run(PLAIN, "mine")
    (push,) = [line["push"] for line in follower.got if "push" in line]
    assert push["pub"]["info"]["client"] == client
    assert (await follower.reply(follower.send(subscribe={"channel": KEPT})))["error"]["code"] == 105
    (there,) = (connection for connection in target.clients.registry if connection.is_connected)
    await eventually(lambda: time.monotonic() > (there.moved_at or 0.0))  # cool for the second of its coming
    await ask(hub, back(1), N2)
    await follower.follow()
    await eventually(lambda: donor.connections == 1)


@either_way
async def test_commands_sent_in_the_moment_of_the_move_are_carried_out_once_and_answered(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    witness = await follow(target, channels=(PLAIN,))
    follower = await follow(donor, target)
    await ask(hub, order(1))
    await follower.told_to_move()
    numbers = [follower.send(publish={"channel": PLAIN, "data": n}) for n in range(20)]
    follower.answer()
    await follower.go_on()
    numbers += [follower.send(publish={"channel": PLAIN, "data": n}) for n in range(20, 40)]
    for number in numbers:
        assert "publish" in await follower.reply(number)
    assert await witness.run(PLAIN, 39) == list(range(40))


@either_way
async def test_what_a_client_sends_before_it_closes_is_carried_out_though_its_session_is_not_there_yet(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-2.8: it publishes and closes at the target while a command of it is under way at the donor."""
    donor, target = pair
    witness = await follow(target, channels=(PLAIN,))
    follower = await follow(donor, target)
    async with held_back(monkeypatch) as confirm:
        follower.send(publish={"channel": PLAIN, "data": 1})
        follower.send(publish={"channel": PLAIN, "data": 2})
        await eventually(lambda: any(c.command_queue and c.command_queue.frames for c in donor.clients.registry))
        await ask(hub, order(1))
        await follower.told_to_move()
        follower.answer()
        await follower.go_on()
        follower.send(publish={"channel": PLAIN, "data": 3})
        follower.peer.raw(frame(CLOSE, struct.pack(">H", 1000)))
        await eventually(lambda: any(c.command_queue and c.command_queue.goodbye for c in target.clients.registry))
        confirm()
        assert await witness.run(PLAIN, 3) == [1, 2, 3]
    assert await follower.peer.closed(answer=False) == (1000, "")
    assert {line["id"] for line in follower.got if "publish" in line} <= {2, 3, 4}


@either_way
async def test_what_a_client_had_sent_is_published_though_it_is_lost_in_the_middle_of_a_move(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-2.8: no node goes on with the session."""
    donor, target = pair
    witness = await follow(target, channels=(PLAIN,))
    follower = await follow(donor, target)
    async with held_back(monkeypatch) as confirm:
        for number in range(3):
            follower.send(publish={"channel": PLAIN, "data": number})
        await eventually(lambda: any(c.command_queue and c.command_queue.count == 2 for c in donor.clients.registry))
        await ask(hub, order(1))
        await follower.told_to_move()
        follower.send(publish={"channel": PLAIN, "data": 3})
        await eventually(lambda: any(each.commands for each in donor.clients.donors))
        follower.peer.abort()
        await eventually(lambda: not len(donor.clients.registry))
        confirm()
        assert await witness.run(PLAIN, 3) == [0, 1, 2, 3]


@either_way
async def test_a_command_under_way_at_the_cut_is_finished_by_the_donor_and_answered_by_the_target(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor, target = pair
    witness = await follow(target, channels=(PLAIN,))
    follower = await follow(donor, target)
    async with held_back(monkeypatch) as confirm:
        first = follower.send(publish={"channel": PLAIN, "data": 1})
        second = follower.send(publish={"channel": PLAIN, "data": 2})  # waits behind it
        await eventually(lambda: any(c.command_queue and c.command_queue.frames for c in donor.clients.registry))
        await ask(hub, order(1))
        await follower.told_to_move()
        third = follower.send(publish={"channel": PLAIN, "data": 3})
        follower.answer()
        await follower.go_on()  # the client is there before the commit
        assert [each.state for each in target.clients.targets] == [TargetState.WAITING]
        fourth = follower.send(publish={"channel": PLAIN, "data": 4})
        confirm()
        for number in (first, second, third, fourth):
            assert "publish" in await follower.reply(number)
    assert await witness.run(PLAIN, 4) == [1, 2, 3, 4]
    assert donor.stats.published == 1
    replies = [line["id"] for line in follower.got if "publish" in line]
    assert replies == [first, second, third, fourth]


async def test_many_sessions_are_moved_at_once(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    publisher = await dial(target, connect=True, path=f"{PATH}?pin=1")
    followers = [await follow(donor, target, channels=(KEPT, PLAIN)) for _ in range(60)]
    readings = [asyncio.create_task(follower.run(KEPT, 99)) for follower in followers]
    for number in range(100):
        await publisher.publish(KEPT, number)
        await publisher.publish(PLAIN, number)
        if number == 30:
            await ask(hub, order(60))
    for reading in readings:
        assert await reading == list(range(100))
    for follower in followers:
        assert await follower.run(PLAIN, 99) == list(range(100))
    assert donor.stats.handovers == target.stats.resumed == 60


@pytest.mark.parametrize("pair", [0.0, 60.0], indirect=True, ids=["asked anew", "kept"])
async def test_nobody_leaves_or_joins_by_a_move_and_who_watches_goes_on_to(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    asker = await dial(target, connect=True, path=f"{PATH}?pin=1")
    follower = await follow(donor, target)
    number = follower.send(subscribe={"channel": "live:room", "join_leave": True})
    await follower.reply(number)
    counts: list[tuple[int, int]] = []

    async def count() -> None:
        present = (await asker.ask(presence={"channel": "live:room"}))["presence"]["presence"]
        stats = (await asker.ask(presence_stats={"channel": "live:room"}))["presence_stats"]
        counts.append((len(present), stats["num_clients"]))

    await count()
    await ask(hub, order(1))
    await follower.told_to_move()
    await count()
    follower.answer()
    await count()
    await follower.go_on()
    await eventually(lambda: target.stats.resumed == 1)
    await count()
    assert counts == [(1, 1)] * 4
    other = await follow(target)
    await other.reply(other.send(subscribe={"channel": "live:room"}))
    while len([line for line in follower.got if "push" in line]) < 2:
        await follower.read()
    told = [line["push"] for line in follower.got if "push" in line]
    clients = [each.got[0]["connect"]["client"] for each in (follower, other)]
    assert [push["join"]["info"]["client"] for push in told] == clients


async def test_others_see_a_client_leave_that_is_lost_in_its_move(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    watcher = await follow(target)
    await watcher.reply(watcher.send(subscribe={"channel": "live:room", "join_leave": True}))
    follower = await follow(donor, target)
    await follower.reply(follower.send(subscribe={"channel": "live:room"}))
    client = follower.got[0]["connect"]["client"]
    await ask(hub, order(1))
    await follower.told_to_move()
    follower.peer.abort()
    while not (left := [line["push"]["leave"] for line in watcher.got if "leave" in line.get("push", {})]):
        await watcher.read()
    assert [each["info"]["client"] for each in left] == [client]


async def test_others_see_a_client_leave_all_channels_when_it_is_lost_while_it_joins_them(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor, target = pair
    channels = ("live:first", "live:second")
    watcher, follower = await follow(target), await follow(donor, target)
    for channel in channels:
        await watcher.reply(watcher.send(subscribe={"channel": channel, "join_leave": True}))
        await follower.reply(follower.send(subscribe={"channel": channel}))
    lost, since = asyncio.Event(), target.clients.channels.streams.since

    async def second_waits(channel: Channel, *arguments: Any, **options: Any) -> Any:
        if channel == channels[1]:
            await lost.wait()
        return await since(channel, *arguments, **options)

    monkeypatch.setattr(target.clients.channels.streams, "since", second_waits)
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: any(who.channels == [channels[0]] for who in target.clients.registry))
    follower.peer.abort()
    await eventually(lambda: target.connections == 1)
    lost.set()
    while len(left := [line["push"] for line in watcher.got if "leave" in line.get("push", {})]) < 2:
        await watcher.read()
    assert {(push["channel"], push["leave"]["info"]["client"]) for push in left} == {
        (channel, follower.got[0]["connect"]["client"]) for channel in channels
    }
    assert len(target.clients.targets) == 0


async def test_a_target_that_refuses_leaves_the_client_where_it_is(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target, channels=(PLAIN,))
    await ask(hub, SetState(draining=True), N2)
    await ask(hub, order(1))
    await eventually(lambda: donor.stats.handovers_failed == 1)
    assert donor.connections == 1
    assert donor.report().moved == {}
    assert "publish" in await follower.reply(follower.send(publish={"channel": PLAIN, "data": "still here"}))
    gone = MoveOrder(fence=1, target=NodeName("n9"), count=1, within_s=0.0)
    await ask(hub, gone)
    await eventually(lambda: donor.stats.handovers_failed == 2)
    assert donor.connections == 1
    await counted(donor, target)


async def test_without_the_engine_nobody_is_moved(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    await follow(donor, target)
    connection = next(iter(donor.clients.registry))
    hub.away = True
    await donor.clients.donors.send_off(connection, N2)
    await eventually(lambda: donor.stats.handovers_failed == 1)
    assert connection.may_leave
    hub.away = False


@either_way
@pytest.mark.parametrize("code", [1000, 1006])
async def test_a_client_that_leaves_in_the_middle_is_given_up_by_both(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, code: int
) -> None:
    donor, target = pair
    follower = await follow(donor, target, channels=(PLAIN,))
    await ask(hub, order(1))
    move = await follower.told_to_move()
    if code == 1006:
        follower.peer.abort()
    else:
        follower.answer(code)
    await eventually(lambda: donor.stats.handovers_failed == 1)
    await eventually(lambda: len(target.clients.targets) == 0)
    late = await Peer.tcp(target.port)
    status, _, body = await late.handshake(head(resuming(move)))
    assert status == 410, body
    late.abort()
    await counted(donor, target, lost=1)


@either_way
async def test_a_client_that_does_not_answer_is_cut_and_given_up(
    start_node: StartNode, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = (
        await start_node("n1", namespaces=NAMESPACES, close_deadline_s=1.0),
        await start_node("n2", namespaces=NAMESPACES),
    )
    follower = await follow(donor, target)
    await ask(hub, order(1))
    await follower.told_to_move()
    await eventually(lambda: donor.stats.cut == 1)
    await eventually(lambda: len(target.clients.targets) == 0)
    await eventually(lambda: donor.stats.handovers_failed == 1)
    await counted(donor, target, lost=1)


async def test_a_client_whose_commit_never_comes_is_closed(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor, target = pair
    monkeypatch.setattr(arrival, "COMMIT_S", 0.3)
    async with held_back(monkeypatch):
        follower = await follow(donor, target)
        follower.send(publish={"channel": PLAIN, "data": 1})
        await eventually(lambda: any(connection.command_queue for connection in donor.clients.registry))
        await ask(hub, order(1))
        await follower.follow()
        assert await follower.peer.closed() == (1012, "")
        await eventually(lambda: len(target.clients.targets) == 0)
    await eventually(lambda: donor.stats.handovers_failed == 1)  # its commit came too late
    await counted(donor, target, reconnected=1)


@either_way
@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_client_whose_session_is_refused_reconnects(
    pair: tuple[ChannelNode, ChannelNode],
    follow: Follow,
    hub: MemoryHub,
    monkeypatch: pytest.MonkeyPatch,
    comes_first: bool,
) -> None:
    """The donor is of a release with another version of sessions."""
    donor, target = pair
    monkeypatch.setattr("ringway.node.sessions.donor.version_of", lambda *_: VERSION + 1)
    follower = await follow(donor, target, channels=(PLAIN,))
    await ask(hub, order(1))
    move = await follower.told_to_move()
    if comes_first:
        coming = await Peer.tcp(target.port)
        assert (await coming.handshake(head(resuming(move))))[0] == 101
    follower.answer()
    await eventually(lambda: donor.stats.handovers_failed == 1)
    if not comes_first:
        coming = await Peer.tcp(target.port)
        assert (await coming.handshake(head(resuming(move))))[0] == 410
    await counted(donor, target, reconnected=1)
    coming.abort()


async def test_a_client_that_never_comes_is_given_up_when_its_ticket_ends(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor, target = pair
    monkeypatch.setattr(arrival, "CLIENT_S", 0.5)
    follower = await follow(donor, target, channels=(PLAIN,))
    await ask(hub, order(1))
    await follower.told_to_move()
    follower.answer()
    await eventually(lambda: donor.stats.handovers == 1)
    await eventually(lambda: len(target.clients.targets) == 0)
    assert target.connections == 0
    await counted(donor, target, apart=1)


async def test_a_session_is_resumed_once(pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub) -> None:
    donor, target = pair
    follower = await follow(donor, target)
    await ask(hub, order(1))
    move = await follower.told_to_move()
    follower.answer()
    await follower.go_on()
    await eventually(lambda: target.stats.resumed == 1)
    second = await Peer.tcp(target.port)
    status, _, _ = await second.handshake(head(resuming(move)))
    assert status == 410
    third = await Peer.tcp(target.port)
    status, _, _ = await third.handshake(head(f"{PATH}?ticket={move.ticket}"))
    assert status == 403
    for peer in (second, third):
        peer.abort()


async def test_nobody_takes_a_session_over_with_what_nodes_say_to_each_other(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PROTOCOL.md P-11.1.1: who reads the engine finds no ticket there that admits anybody."""
    donor, target = pair
    overheard: set[str] = set()
    call = MemoryBus.call

    async def overhear(bus: MemoryBus, address: str, request: bytes, *, timeout_s: float) -> bytes:
        overheard.update(found.decode() for found in re.findall(rb"\xd9\x2c([\w-]{44})", request))
        return await call(bus, address, request, timeout_s=timeout_s)

    monkeypatch.setattr(MemoryBus, "call", overhear)
    follower = await follow(donor, target, channels=(PLAIN,))
    await ask(hub, order(1))
    move = await follower.told_to_move()
    assert overheard
    for ticket in {*overheard}:
        for path in (resuming(Move(N2, ticket)), f"{PATH}?ticket={ticket}"):
            thief = await Peer.tcp(target.port)
            assert (await thief.handshake(head(path)))[0] == 403
            thief.abort()
    follower.answer()
    await follower.go_on()
    await eventually(lambda: target.stats.resumed == 1)
    assert move.ticket not in overheard
    await counted(donor, target, handed_over=1)


@pytest.mark.parametrize("follow", [MARK], indirect=True)
async def test_a_client_that_was_told_by_a_message_is_answered_its_close(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target)
    await ask(hub, order(1))
    await follower.told_to_move()
    follower.answer()
    assert await follower.peer.recv() == (CLOSE, struct.pack(">H", 1000))
    await follower.peer.ended()
    await follower.go_on()
    await eventually(lambda: target.stats.resumed == 1)
    assert donor.stats.closed[1012] == 1


@pytest.mark.parametrize("moves", ["0", "true", "short-7", "x" * 33, "with%20blank"])
async def test_what_is_no_mark_asks_for_a_plain_close(
    pair: tuple[ChannelNode, ChannelNode], hub: MemoryHub, moves: str
) -> None:
    donor, _ = pair
    peer = await Peer.open(donor.port, path=f"{PATH}?moves={moves}")
    await peer.connect()
    await ask(hub, order(1))
    code, reason = await peer.closed()
    assert (code, reason[:8]) == (1012, "move n2 ")
    assert donor.stats.handovers == 0
    await counted(donor, pair[1], reconnected=1)
    peer.abort()


@pytest.mark.parametrize(
    ("query", "status"),
    [("resume=1", 400), ("resume=1&ticket=" + "A" * 44, 403)],
)
async def test_nobody_resumes_what_is_not_there(start_node: StartNode, query: str, status: int) -> None:
    node = await start_node()
    peer = await Peer.tcp(node.port)
    assert (await peer.handshake(head(f"{PATH}?{query}")))[0] == status
    peer.abort()


async def test_a_fragmented_message_around_the_cut_is_carried_out(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target)
    command = b'{"id": 77, "publish": {"channel": "plain:room", "data": 1}}'
    follower.peer.raw(frame(0x1, command[:20], fin=False))
    await ask(hub, order(1))
    await follower.told_to_move()
    follower.peer.raw(frame(0x0, command[20:]))
    follower.answer()
    await follower.go_on()
    assert "publish" in await follower.reply(77)


async def test_who_sends_without_end_instead_of_answering_is_cut(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target)
    await ask(hub, order(1))
    await follower.told_to_move()
    for n in range(40):
        follower.send(publish={"channel": PLAIN, "data": f"{n}" * 10_000})
    await eventually(lambda: donor.stats.cut == 1)
    await eventually(lambda: len(target.clients.targets) == 0)


async def test_who_does_not_follow_moves_is_closed_as_before(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, hub: MemoryHub
) -> None:
    donor, target = pair
    peer = await dial(donor, connect=True)
    await ask(hub, order(1))
    code, reason = await peer.closed()
    assert (code, reason[:8]) == (1012, "move n2 ")
    assert len(target.clients.targets) == 0


async def test_pings_go_on_as_if_there_had_been_no_move(start_node: StartNode, follow: Follow, hub: MemoryHub) -> None:
    donor = await start_node("n1", namespaces=NAMESPACES, ping_interval_s=4, pong_timeout_s=1)
    target = await start_node("n2", namespaces=NAMESPACES, ping_interval_s=4, pong_timeout_s=1)
    follower = await follow(donor, target)
    connection = next(iter(donor.clients.registry))
    due_s = connection.ping_in_s()
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.connections == 1)
    (there,) = target.clients.registry
    assert there.ping_in_s() <= due_s + 1.0
    await eventually(lambda: target.stats.pings == 1)


async def test_a_node_that_stops_lets_its_hand_overs_end(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target)
    await ask(hub, order(1))
    await follower.told_to_move()
    stopping = asyncio.create_task(donor.stop())
    follower.answer()
    await follower.go_on()
    await eventually(lambda: target.stats.resumed == 1)
    await stopping


def test_the_close_of_a_move_fits_into_a_control_frame() -> None:
    longest = f"move {'n' * 63} {'t' * 44}".encode()
    assert len(frame(CLOSE, struct.pack(">H", 1012) + longest, mask=False)) <= 2 + 125
    assert FOLLOWS.endswith("moves=1")
