"""Two nodes exchange publications: over a shared memory engine, and over a real NATS that goes away and comes back."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import KEYRING, eventually
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName

COUNT = 300


async def exchange(one: ChannelNode, two: ChannelNode, dial: Dial) -> None:
    writers = [await dial(node, connect=True) for node in (one, two)]
    readers = [await dial(node, connect=True) for node in (one, two, two)]
    channel = "room > * . ü"
    for reader in readers:
        await reader.subscribe(channel)
    for n in range(COUNT):
        for who, writer in enumerate(writers):
            writer.send({"id": 100 + n, "publish": {"channel": channel, "data": [who, n]}})
    for reader in readers:
        seen: list[list[int]] = [[], []]
        for _ in range(2 * COUNT):
            who, n = (await reader.push())["pub"]["data"]
            seen[who].append(n)
        assert seen == [list(range(COUNT))] * 2


async def test_over_memory(start_node: StartNode, dial: Dial) -> None:
    await exchange(await start_node("n1"), await start_node("n2"), dial)


@pytest.fixture
async def pair(server: EmbeddedNats) -> AsyncIterator[tuple[ChannelNode, ChannelNode]]:
    engines = [await open_nats(server.url, name=name) for name in ("n1", "n2")]
    config = NodeConfig(insecure=True, allowed_hosts=("*",))
    nodes = [
        ChannelNode(config, NodeName(f"n{i + 1}"), Incarnation(f"{i:08x}"), engine, KEYRING, rng=Random(i))
        for i, engine in enumerate(engines)
    ]
    for node in nodes:
        await node.start()
    yield nodes[0], nodes[1]
    for node, engine in zip(nodes, engines, strict=True):
        await node.stop()
        await engine.close()


async def test_over_nats(pair: tuple[ChannelNode, ChannelNode], dial: Dial) -> None:
    await exchange(*pair, dial)


async def test_nats_goes_away_and_comes_back(
    pair: tuple[ChannelNode, ChannelNode], server: EmbeddedNats, dial: Dial
) -> None:
    one, two = pair
    reader, writer = await dial(one, connect=True), await dial(two, connect=True)
    await reader.subscribe("c")
    await writer.publish("c", "before")
    assert (await reader.push())["pub"]["data"] == "before"
    await server.stop()
    await eventually(lambda: not (one.report().engine_up or two.report().engine_up))
    error = (await writer.ask(publish={"channel": "c", "data": "lost"}))["error"]
    assert (error["code"], error["temporary"]) == (100, True)
    await server.start()
    await eventually(lambda: one.report().engine_up and two.report().engine_up, 20)
    async with asyncio.timeout(10):
        while "error" in await writer.ask(publish={"channel": "c", "data": "after"}):
            await asyncio.sleep(0.1)
    assert (await reader.push())["pub"]["data"] == "after"
    assert (one.connections, two.connections) == (1, 1)
    assert not one.stats.closed
