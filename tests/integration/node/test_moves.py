"""Moves, counting misplaced keys, draining, and stopping, over real sockets."""

import asyncio
import time
from collections import Counter

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import KEYRING, N1, N2, PATH, Leader, ask, eventually, order, ring
from ringway.core.hashing.ring import HashRing
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.engine.memory.engine import MemoryHub
from ringway.member.feed import Feed
from ringway.node.server import ChannelNode
from ringway.protocol.move import read_move
from ringway.protocol.order import (
    MoveOrder,
    NodeConsent,
    NodeRefusal,
    NodeRequest,
    SetState,
    decode_node_answer,
    encode,
)
from ringway.protocol.owners import version_of
from ringway.types import NodeName, NodeState
from support.members import hear_reports, report_reader
from support.sealed import sealed_bus


async def test_a_moved_client_gets_in_at_the_target_with_its_ticket(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    donor, target = await start_node("n1"), await start_node("n2")
    peers = [await dial(donor, connect=True) for _ in range(10)]
    assert await ask(hub, order(4)) == NodeConsent()
    await eventually(lambda: donor.connections == 6)
    report = donor.report()
    assert (report.connections, report.reserved, report.moved) == (6, {N2: 4}, {N2: 4})
    closes = [asyncio.create_task(peer.closed()) for peer in peers]
    await eventually(lambda: sum(close.done() for close in closes) == 4)
    reasons = [close.result() for close in closes if close.done()]
    for close in closes:
        close.cancel()
    for code, reason in reasons:
        move = read_move(reason)
        assert code == 1012
        assert move is not None
        assert move.node == N2
        moved = await dial(target, path=f"{PATH}?ticket={move.ticket}")
        await moved.connect()
    await eventually(lambda: donor.report().reserved == {})
    assert target.report().taken == {donor.incarnation: 4}
    # what has just been moved stays, unless the target drains
    back = MoveOrder(fence=2, target=N1, count=4, within_s=0.0)
    assert await ask(hub, back, N2) == NodeConsent()
    await asyncio.sleep(0.1)
    assert target.connections == 4
    await ask(hub, SetState(draining=True), N2)
    await ask(hub, back, N2)
    await eventually(lambda: target.connections == 0)


async def test_moves_are_spread_over_their_time(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    for _ in range(10):
        await dial(node, connect=True)
    begun = time.monotonic()
    await ask(hub, order(10, within_s=1.0))
    seen = set()
    while node.connections:
        seen.add(node.connections)
        await asyncio.sleep(0.01)
    assert time.monotonic() - begun >= 0.85
    assert len(seen) >= 5
    assert node.stats.moves == 10


async def test_an_older_leader_is_refused(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    for _ in range(4):
        await dial(node, connect=True)
    await ask(hub, order(4, fence=5, within_s=1.2))  # one at once, the others later
    await eventually(lambda: node.connections == 3)
    assert isinstance(await ask(hub, order(1, fence=4)), NodeRefusal)
    assert await ask(hub, order(0, fence=6)) == NodeConsent()
    await asyncio.sleep(0.7)
    assert node.connections == 3


@pytest.mark.parametrize(
    "request_",
    [
        MoveOrder(fence=1, target=N1, count=1, within_s=0),
        MoveOrder(fence=1, target=N2, count=-1, within_s=0),
        MoveOrder(fence=1, target=N2, count=1, within_s=61),
        MoveOrder(fence=1, target=N2, count=1, within_s=-1),
        MoveOrder(fence=1, target=N2, count=1, within_s=0, owners="0123456789abcdef"),
        SetState(draining=True, within_s=-1.0),
    ],
)
async def test_senseless_requests_are_refused(start_node: StartNode, hub: MemoryHub, request_: NodeRequest) -> None:
    await start_node()
    assert isinstance(await ask(hub, request_), NodeRefusal)


async def test_what_cannot_be_read_is_refused(start_node: StartNode, hub: MemoryHub) -> None:
    await start_node()
    for raw in (b"", b"x", b"{}", b'{"type":"other"}'):
        answer = decode_node_answer(await sealed_bus(hub.open(), KEYRING).call("node.n1", raw, timeout_s=5))
        assert isinstance(answer, NodeRefusal)


async def test_with_a_ring_only_misplaced_keys_move(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    keys = [f"user-{n}" for n in range(30)]
    for key in keys:
        await dial(node, connect=True, path=f"{PATH}?key={key}")
    await dial(node, connect=True)  # without a key: nothing is wrong with its place
    weights = {N1: 1.0, N2: 1.0, NodeName("n3"): 1.0}
    table = HashRing(weights, b"ring")
    owners = Counter(table.owner(key.encode()) for key in keys)
    own = owners.pop(N1)
    async with Leader(hub) as leader:
        assert await leader.count(node, ring(weights)) == dict(owners)
        await ask(hub, order(31, owners=version_of(ring(weights))))
        await eventually(lambda: node.connections == 31 - owners[N2])
        assert node.report().misplaced == {NodeName("n3"): owners[NodeName("n3")]}, "those that left count no more"
    left = Counter(table.owner(client.key) for client in node.clients.registry if client.is_connected and client.key)
    assert left == {N1: own, NodeName("n3"): owners[NodeName("n3")]}


async def test_two_orders_at_once_do_not_choose_the_same(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    for _ in range(10):
        await dial(node, connect=True)
    bus = sealed_bus(hub.open(), KEYRING)
    third = MoveOrder(fence=1, target=NodeName("n3"), count=5, within_s=0.3)
    for request in (order(5, within_s=0.3), third):
        await bus.call("node.n1", encode(request), timeout_s=5)
    await eventually(lambda: node.connections == 0)
    assert node.report().moved == {N2: 5, NodeName("n3"): 5}


async def test_the_state_is_told_at_once(start_node: StartNode, hub: MemoryHub) -> None:
    await start_node(report_interval_s=2.0)
    heard = await hear_reports(hub.open(), KEYRING)
    await ask(hub, SetState(draining=True))
    await eventually(lambda: bool(heard) and heard[-1].state is NodeState.DRAINING, 1.5)
    await ask(hub, SetState(draining=False))
    await eventually(lambda: heard[-1].state is NodeState.ACTIVE, 1.5)


async def test_who_is_drained_next_is_reported_while_it_drains(start_node: StartNode, hub: MemoryHub) -> None:
    node = await start_node()
    await ask(hub, SetState(draining=True, within_s=60.0, avoid=(N2, NodeName("n3"))))
    assert node.report().drain_avoid == (N2, "n3")
    await ask(hub, SetState(draining=True, within_s=60.0))
    assert node.report().drain_avoid == ()
    await ask(hub, SetState(draining=False, avoid=(N2,)))
    assert node.report().drain_avoid == ()
    too_many = tuple(NodeName(f"n{index}") for index in range(1001))
    assert isinstance(await ask(hub, SetState(draining=True, avoid=too_many)), NodeRefusal)


async def test_a_crowd_is_reported_early(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node(report_interval_s=2.0)
    heard = await hear_reports(hub.open(), KEYRING)
    await eventually(lambda: bool(heard))
    for _ in range(8):
        await dial(node, connect=True)
    await eventually(lambda: heard[-1].connections >= 5, 1.5)


async def test_stop_leaves_in_order(hub: MemoryHub, start_node: StartNode, dial: Dial) -> None:
    node = await start_node(stop_deadline_s=1.0)
    heard: list[MembershipEvent] = []
    feed = Feed(report_reader(KEYRING), listeners=[heard.append])
    await feed.follow(hub.open().registry)
    polite = [await dial(node, connect=True) for _ in range(5)]
    deaf = await dial(node, connect=True)
    port = node.port
    stopping = asyncio.create_task(node.stop())
    assert [await peer.closed() for peer in polite] == [(3001, "shutdown")] * 5
    await stopping
    assert heard[-1] == MemberLeft(heard[-1].report, "withdrawn"), "the withdrawal is the last word"
    await deaf.ended()
    with pytest.raises(OSError, match="refused"):
        await asyncio.open_connection("127.0.0.1", port)
    assert await tasks_of(node) == 0


async def tasks_of(node: ChannelNode) -> int:
    await asyncio.sleep(0)
    return len(node.tasks) + len(node.clients.queues)
