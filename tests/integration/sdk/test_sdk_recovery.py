"""The official SDKs, unmodified, get everything although nodes are killed, and although a node misses something."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random

import pytest

import ringway
from integration.sdk.kit import (
    Follower,
    check_recovered,
    install_javascript,
    subscribe_since_the_beginning,
)
from ringway.engine.memory.engine import MemoryHub
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation, NodeName
from support.npm import has_node
from support.system import System, running_system, wait_for

COUNT = 120

Make = Callable[[str, str], Follower]

javascript = pytest.param(
    Follower.javascript, marks=pytest.mark.skipif(not has_node(), reason="needs Node.js and npm"), id="javascript"
)
both = pytest.mark.parametrize("make", [javascript, pytest.param(Follower.python, id="python")])


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=2) as system:
        yield system


async def kill(system: System, name: str) -> None:
    """Kill a node, and return when it is there again."""
    before = system.nodes()[name]["incarnation"]
    system.kill(name)
    await asyncio.to_thread(
        wait_for, lambda: system.nodes().get(name, {}).get("incarnation", before) != before, f"{name} to be back"
    )


@both
async def test_everything_comes_although_both_nodes_are_killed_one_after_the_other(system: System, make: Make) -> None:
    await install_javascript()
    url = system.gateway_url.replace("http://", "ws://") + "/connection/websocket"
    channel = f"room:{make.__name__}"

    async def publish_all() -> None:
        async with ringway.Client(system.gateway_url) as writer:
            for number in range(COUNT):
                await writer.publish(channel, number, idempotency_key=f"{number}", timeout_s=20)
                await asyncio.sleep(0.05)
            await both_killed.wait()
            await writer.publish(channel, "end", idempotency_key="end", timeout_s=20)

    both_killed = asyncio.Event()
    async with make(url, channel) as follower, asyncio.TaskGroup() as tasks:
        tasks.create_task(publish_all())
        for name in ("node-1", "node-2"):
            await asyncio.sleep(0.5)
            await kill(system, name)
        both_killed.set()
        check_recovered(await follower.seen(), COUNT)


@pytest.fixture
async def node() -> AsyncIterator[ChannelNode]:
    config = NodeConfig(insecure=True, namespaces=("default:history_size=200", "short:history_size=2"))
    engine = MemoryHub().open()
    node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), engine, Keyring(b"secret"), rng=Random(1))
    await node.start()
    yield node
    await node.stop()


async def publish(node: ChannelNode, channel: str, *data: object, heard: bool = True) -> None:
    """Publish by a client of the node's own; not `heard`: the node is not told by its engine."""
    broker = node.engine.broker
    if not heard:
        broker.attach(lambda *message: None)
    async with ringway.Client(node.url) as writer:
        for one in data:
            await writer.publish(channel, one)
    broker.attach(node.clients.channels.deliver)


@both
async def test_3010_is_understood_and_what_is_missing_is_told(node: ChannelNode, make: Make) -> None:
    await install_javascript()
    async with make(node.url, "short:room") as follower:
        await publish(node, "short:room", 0)
        await publish(node, "short:room", 1, 2, 3, 4, heard=False)
        await publish(node, "short:room", 5)
        async with asyncio.timeout(20):
            while node.stats.recoveries["incomplete"] == 0 or node.hub.count(Channel("short:room")) == 0:
                await asyncio.sleep(0.01)
        await publish(node, "short:room", "end")
        seen = await follower.seen()
    assert node.stats.closed[3010] == 1
    assert 3010 in seen["disconnected"]
    first, second = seen["subscribed"]
    assert (first["wasRecovering"], second["wasRecovering"], second["recovered"]) == (False, True, False)
    assert seen["received"][0]["data"] == 0
    assert seen["received"][-1]["data"] == "end"
    assert (seen["presence"], seen["stats"]) == (1, 1)


@both
async def test_a_gap_that_history_fills_is_not_noticed(node: ChannelNode, make: Make) -> None:
    await install_javascript()
    async with make(node.url, "room") as follower:
        await publish(node, "room", 0)
        await publish(node, "room", 1, 2, heard=False)
        await publish(node, "room", 3, "end")
        seen = await follower.seen()
    assert [publication["data"] for publication in seen["received"]] == [0, 1, 2, 3, "end"]
    assert len(seen["subscribed"]) == 1
    assert node.stats.gaps == 1


@pytest.mark.skipif(not has_node(), reason="needs Node.js and npm")
async def test_since_the_offset_0_of_any_epoch_everything_that_is_kept_comes(system: System) -> None:
    await install_javascript()
    async with ringway.Client(system.gateway_url) as writer:
        for n in range(3):
            await writer.publish("since", n)
    url = system.gateway_url.replace("http://", "ws://") + "/connection/websocket"
    seen = await subscribe_since_the_beginning(url, "since", "", 3)
    assert seen == {"told": {"wasRecovering": True, "recovered": True}, "received": [0, 1, 2]}
