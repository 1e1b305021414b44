"""Channel nodes on real sockets, over a memory engine, on the event loop that production uses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest
import uvloop

from integration.node.kit import KEYRING, Peer
from ringway.engine.memory.engine import MemoryHub
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName

PLAIN = ("default:history_size=0",)

StartNode = Callable[..., Awaitable[ChannelNode]]
Dial = Callable[..., Awaitable[Peer]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
async def start_node(hub: MemoryHub) -> AsyncIterator[StartNode]:
    """Start a node; `start("n1", **config)`. Nodes of one test share a memory engine.

    Channels keep no history here, crowds are not shed and rights are not checked, unless the test says so: most look at
    what is below that.
    """
    nodes: list[ChannelNode] = []

    async def start(name: str = "n1", **settings: object) -> ChannelNode:
        given = {
            "insecure": True,
            "stop_deadline_s": 1.0,
            "namespaces": PLAIN,
            "shed_handshakes": False,
            "allowed_hosts": ("*",),
            **settings,
        }
        verifier, rpc = given.pop("verifier", None), given.pop("rpc", None)
        config = NodeConfig(**given)  # type: ignore[arg-type]
        incarnation = Incarnation(f"{len(nodes) + 1:08x}")
        node = ChannelNode(
            config,
            NodeName(name),
            incarnation,
            hub.open(),
            KEYRING,
            ring_secret=b"ring",
            rng=Random(len(nodes)),
            verifier=verifier,  # type: ignore[arg-type]
            rpc=rpc,  # type: ignore[arg-type]
        )
        await node.start()
        nodes.append(node)
        return node

    yield start
    for node in nodes:
        await node.stop()


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Open a WebSocket by hand; `dial(node)`, or `dial(node, connect=True)` with the connect command answered."""
    peers: list[Peer] = []

    async def open_peer(node: ChannelNode, *, connect: bool = False, **how: object) -> Peer:
        peer = await Peer.open(node.port, **how)  # type: ignore[arg-type]
        peers.append(peer)
        if connect:
            await peer.connect()
        return peer

    yield open_peer
    for peer in peers:
        peer.abort()
