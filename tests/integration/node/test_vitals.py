"""Reports of a node about itself, and its optional parts, over real sockets."""

import asyncio
import time

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import KEYRING, N1, N2, PATH, Leader, Peer, ask, eventually, head, order, ring
from ringway.core.hashing.ring import HashRing
from ringway.core.load import LoadView
from ringway.engine.memory.engine import MemoryHub
from ringway.node.server import ChannelNode
from ringway.protocol.order import NodeConsent, SetState
from ringway.protocol.owners import version_of
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName, NodeState
from support.members import hear_reports

N3 = NodeName("n3")


async def listen(hub: MemoryHub) -> list[Report]:
    """Return a list that grows by every report."""
    return await hear_reports(hub.open(), KEYRING)


def clients(node: ChannelNode) -> set[str]:
    return {connection.client for connection in node.clients.registry if connection.is_connected}


async def test_a_report_says_how_full_the_node_is(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    heard = await listen(hub)
    node = await start_node(egress_bytes_per_s_max=1, connections_max=123, report_interval_s=0.2)
    reader, writer = await dial(node, connect=True), await dial(node, connect=True)
    await reader.subscribe("news")
    sent = node.stats.sent_bytes
    await writer.publish("news", "x" * 2000)
    await reader.push()
    assert node.stats.sent_bytes >= sent + 2000
    await eventually(lambda: heard[-1].utilisation.get("egress", 0) > 1)
    report = heard[-1]
    assert set(report.utilisation) == {"cpu", "memory", "files", "loop_lag", "egress"}
    assert all(share >= 0 for share in report.utilisation.values())
    assert 0 < report.utilisation["memory"] < 1
    assert 0 < report.utilisation["files"] < 1
    assert report.connections_max == 123


async def test_the_length_of_handshakes_is_counted_from_the_open_socket(start_node: StartNode) -> None:
    node = await start_node()
    assert node.report().handshake_p99_s == 0.0
    peer = await Peer.tcp(node.port)
    await asyncio.sleep(0.2)
    assert node.report().handshake_p99_s == 0.0, "it is under way"
    assert (await peer.handshake(head()))[0] == 101
    assert 0.2 <= node.report().handshake_p99_s < 5
    silent = await Peer.tcp(node.port)
    await eventually(lambda: len(node.clients.handshakes) == 1)
    silent.abort()
    await eventually(lambda: len(node.clients.handshakes) == 0)
    assert node.clients.handshakes.latency.count == 1, "the silent one is not counted"
    peer.abort()


async def test_weight_zero_asks_for_nobody_and_refuses_nobody(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    view, heard = LoadView(Issuer("00000099")), await listen(hub)
    node, other = await start_node("n1", weight=0), await start_node("n2")
    await eventually(lambda: {report.name for report in heard} == {N1, N2})
    for report in heard:
        view.reported(report, time.monotonic())
    assert view.nodes[N1].weight == 0
    assert [eligible.name for eligible in view.eligible] == [N2]
    await dial(node, connect=True)
    assert (node.connections, node.state) == (1, NodeState.ACTIVE)
    await dial(other, connect=True)
    assert await ask(hub, order(1)) == NodeConsent(), "and its connections can be moved away"
    await eventually(lambda: node.connections == 0)


@pytest.mark.parametrize("allowed", [True, False])
async def test_who_is_pinned_is_not_moved(start_node: StartNode, dial: Dial, hub: MemoryHub, *, allowed: bool) -> None:
    node = await start_node(allow_pins=allowed)
    for path in (f"{PATH}?pin=1", f"{PATH}?pin=1&key=k", PATH, f"{PATH}?pin=0"):
        await dial(node, connect=True, path=path)
    pinned = 2 if allowed else 0
    assert node.report().cooling == pinned
    await ask(hub, order(4))
    await eventually(lambda: node.connections <= 2 - (2 - pinned))
    assert node.connections == pinned
    await ask(hub, SetState(draining=True))
    assert node.report().cooling == pinned
    await ask(hub, order(4))
    await asyncio.sleep(0.1)
    assert node.connections == pinned


async def test_the_cheapest_to_disturb_are_moved_first(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node(idle_after_s=60.0)
    peers = [await dial(node) for _ in range(4)]
    names = [(await peer.connect())["client"] for peer in peers]
    await peers[0].subscribe("a")
    await peers[1].subscribe("a")
    await peers[1].subscribe("b")
    for connection in node.clients.registry:
        connection.heard_at = node.clients.registry.second - (100 if connection.client in names[:3] else 0)
    for left in (set(names) - {names[2]}, {names[1], names[3]}, {names[3]}, set()):
        await ask(hub, order(1))
        await eventually(lambda left=left: clients(node) == left)  # type: ignore[misc]


async def test_frames_with_commands_count_as_heard_and_pongs_do_not(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    (connection,) = node.clients.registry
    connection.heard_at = 0
    begun = node.clients.registry.second
    await eventually(lambda: node.clients.registry.second > begun)
    peer.raw(b"\x81\x82\x00\x00\x00\x00{}")
    before = node.stats.frames_in
    await eventually(lambda: node.stats.frames_in > before)
    assert connection.heard_at == 0
    await peer.ask(ping={})
    assert connection.heard_at == node.clients.registry.second
    assert abs(node.clients.registry.second - time.monotonic()) < 2


@pytest.mark.parametrize(("first", "left"), [("youngest", 0), ("oldest", -1)])
async def test_of_equals_the_youngest_or_the_oldest_are_moved_first(
    start_node: StartNode, dial: Dial, hub: MemoryHub, first: str, left: int
) -> None:
    node = await start_node(move_first=first)
    names = [(await (await dial(node)).connect())["client"] for _ in range(6)]
    await ask(hub, order(5))
    await eventually(lambda: node.connections == 1)
    assert clients(node) == {names[left]}


async def test_only_keys_whose_owner_has_changed_are_moved(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    keys = [f"user-{number}" for number in range(40)]
    for key in keys:
        await dial(node, connect=True, path=f"{PATH}?key={key}")
    before, after = {N1: 1.0, N3: 1.0}, {N1: 1.0, N2: 1.0, N3: 1.0}
    table = HashRing(after, b"ring")
    fresh = [key for key in keys if table.owner(key.encode()) == N2]
    async with Leader(hub) as leader:
        assert await leader.count(node, ring(after, after)) == {}
        assert await leader.count(node, ring(after, before)) == {N2: len(fresh)}
        await ask(hub, order(40, owners=version_of(ring(after, before))))
        await eventually(lambda: node.connections == len(keys) - len(fresh))
        assert await leader.count(node, ring(after, {})) == {
            N3: sum(table.owner(key.encode()) == N3 for key in keys)
        }, "a table of nobody says nothing"


async def test_a_moved_client_that_does_not_come_is_counted(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    node.sent.ledger.ttl_s = 0.3
    await start_node("n2")
    for _ in range(3):
        await dial(node, connect=True)
    await ask(hub, order(3))
    await eventually(lambda: node.report().reserved == {N2: 3})
    await eventually(lambda: node.report().reserved == {})
    assert node.report().missed == 3


async def test_a_drain_ends_by_its_deadline(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node(report_interval_s=2.0)
    heard = await listen(hub)
    peers = [await dial(node, connect=True, path=f"{PATH}?pin=1") for _ in range(4)]
    await ask(hub, SetState(draining=True))
    await eventually(lambda: bool(heard) and heard[-1].state is NodeState.DRAINING, 1.5)
    assert heard[-1].drain_left_s == 0
    await ask(hub, SetState(draining=True, within_s=1.0))
    await eventually(lambda: 0 < heard[-1].drain_left_s <= 1.0, 1.5)
    assert [await peer.closed() for peer in peers] == [(1012, "drained")] * 4
    assert node.stats.drained == 4
    assert node.report().drain_left_s > 0
    await ask(hub, SetState(draining=False))
    await eventually(lambda: heard[-1].drain_left_s == 0, 1.5)


async def test_a_drain_that_was_called_off_closes_nobody(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node()
    await dial(node, connect=True)
    await ask(hub, SetState(draining=True, within_s=0.5))
    await ask(hub, SetState(draining=False))
    await asyncio.sleep(1.0)
    assert node.connections == 1


async def test_a_connection_ends_at_its_age(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(max_age_s=2.0, ping_interval_s=3600)
    peers = [await dial(node, connect=True) for _ in range(5)]
    begun = time.monotonic()
    assert [await peer.closed() for peer in peers] == [(1012, "age")] * 5
    assert time.monotonic() - begun >= 0.9
    assert node.stats.aged == 5
