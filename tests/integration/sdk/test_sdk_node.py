"""The official SDKs, unmodified, against a node directly."""

import asyncio
import sys

import pytest

from integration.node.kit import Peer, eventually
from integration.sdk.kit import (
    check_exchange,
    exchange_javascript,
    exchange_python,
    install_javascript,
    publish_and_leave,
)
from ringway.engine.memory.engine import MemoryHub
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation, NodeName
from support.npm import has_node

COUNT = 20

needs_node = pytest.mark.skipif(not has_node(), reason="needs Node.js and npm")


async def start() -> ChannelNode:
    config = NodeConfig(insecure=True, ping_interval_s=2, pong_timeout_s=1)
    node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), MemoryHub().open(), Keyring(b"secret"))
    await node.start()
    return node


async def test_python() -> None:
    node = await start()
    check_exchange(await exchange_python(node.url, "room:ü", COUNT), COUNT)
    assert not node.stats.closed
    assert not node.stats.errors
    await node.stop()


@needs_node
async def test_javascript() -> None:
    await install_javascript()
    node = await start()
    check_exchange(await exchange_javascript(node.url, "room:ü", COUNT), COUNT)
    assert not node.stats.closed
    await node.stop()


CLIENTS = 100


@pytest.mark.parametrize(
    "program",
    [
        pytest.param((sys.executable, "publish_and_leave.py"), id="python"),
        pytest.param(("node", "publish_and_leave.mjs"), id="javascript", marks=needs_node),
    ],
)
async def test_what_is_published_right_before_a_disconnect_is_published(program: tuple[str, ...]) -> None:
    """PROTOCOL.md P-2.8."""
    if program[0] == "node":
        await install_javascript()
    node = await start()
    peer = await Peer.open(node.port)
    await peer.connect()
    await peer.subscribe("room")

    async def watch() -> list[object]:  # while the others run: pings are answered as pushes are read
        return [(await peer.push())["pub"]["data"] for _ in range(CLIENTS)]

    watching = asyncio.create_task(watch())
    await publish_and_leave(*program, url=node.url, channel="room", count=CLIENTS)
    assert await watching == list(range(CLIENTS))
    peer.abort()
    await eventually(lambda: not node.connections)
    await node.stop()
