"""The official SDKs, unmodified, against a node directly."""

import pytest

from integration.sdk.kit import check_exchange, exchange_javascript, exchange_python, has_node, install_javascript
from ringway.engine.memory import MemoryHub
from ringway.node import ChannelNode, NodeConfig
from ringway.protocol.ticket import Mint
from ringway.types import Incarnation, NodeName

COUNT = 20


async def start() -> ChannelNode:
    config = NodeConfig(ping_interval_s=2, pong_timeout_s=1)
    node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), MemoryHub().open(), Mint(b"secret"))
    await node.start()
    return node


async def test_python() -> None:
    node = await start()
    check_exchange(await exchange_python(node.url, "room:ü", COUNT), COUNT)
    assert not node.stats.closed
    assert not node.stats.errors
    await node.stop()


@pytest.mark.skipif(not has_node(), reason="needs Node.js and npm")
async def test_javascript() -> None:
    await install_javascript()
    node = await start()
    check_exchange(await exchange_javascript(node.url, "room:ü", COUNT), COUNT)
    assert not node.stats.closed
    await node.stop()
