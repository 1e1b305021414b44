"""Presence over NATS, which does not count the nodes asked: the nodes that are waited for, and other nodes."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest

from integration.node.conftest import Dial
from integration.node.kit import KEYRING, Peer, eventually
from integration.node.test_presence import come
from integration.node.test_presence_gathers import Ear, counted, present
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName
from support.system import free_port

C = "c"
LONG_S = 60.0
"""A deadline that no test waits for: a question that ends before has ended for another reason."""

PATIENCE_S = 30.0

StartNodes = Callable[..., Awaitable[list[ChannelNode]]]


@pytest.fixture
async def start_nodes(server: EmbeddedNats) -> AsyncIterator[StartNodes]:
    """Start nodes, each with an engine of its own that ends with it."""
    async with AsyncExitStack() as stack:

        async def start(count: int, **settings: Any) -> list[ChannelNode]:
            nodes = []
            for number in range(1, count + 1):
                engine = await open_nats(server.url, name=f"n{number}")
                stack.push_async_callback(engine.close)
                given = {"namespaces": ("default:history_size=0",), "allowed_hosts": ("*",), "presence_keep_s": 0.0}
                usual = {"insecure": True, "stop_deadline_s": 1.0, "shed_handshakes": False}
                config = NodeConfig(**{**usual, **given, **settings})
                incarnation = Incarnation(f"{number:08x}")
                node = ChannelNode(config, NodeName(f"n{number}"), incarnation, engine, KEYRING, rng=Random(number))
                stack.push_async_callback(node.stop)
                await node.start()
                nodes.append(node)
            return nodes

        yield start


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def node_process(server: EmbeddedNats) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A node as a process of its own, which a signal can stop; with its port."""
    port = free_port()
    options = (
        "--engine",
        server.url,
        "--port",
        f"{port}",
        "--secret",
        "a secret of tests",
        "--namespace",
        "default:history_size=0",
        "--insecure",
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ringway", "node", *options)
    async with asyncio.timeout(PATIENCE_S):
        while not is_open(port):
            await asyncio.sleep(0.05)
    yield process, port
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_all_nodes_that_have_the_channel_answer(start_nodes: StartNodes, dial: Dial) -> None:
    one, two, three = await start_nodes(3, presence_deadline_s=LONG_S)
    asker = await dial(one, connect=True)
    async with asyncio.timeout(PATIENCE_S):
        assert await present(asker) == set()  # NATS says that nobody is there
        clients = {(await come(dial, node, C))[1] for node in (two, three, three)}
        for _ in range(3):
            assert await present(asker) == clients
            assert await counted(asker) == 3


async def test_a_node_that_had_the_channel_and_stalls_is_waited_for(
    start_nodes: StartNodes, dial: Dial, node_process: tuple[asyncio.subprocess.Process, int]
) -> None:
    one, two = await start_nodes(2, presence_deadline_s=LONG_S, presence_grace_s=0.01)
    process, port = node_process
    stalling = await Peer.open(port)
    clients = {(await stalling.connect())["client"], (await come(dial, two, C))[1]}
    await stalling.subscribe(C)
    asker = await dial(one, connect=True)
    async with asyncio.timeout(PATIENCE_S):
        while await present(asker) != clients:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        try:
            asking = asyncio.create_task(present(asker))
            await asyncio.wait({asking}, timeout=0.5)
            assert not asking.done()
        finally:
            process.send_signal(signal.SIGCONT)
        assert await asking == clients
    stalling.abort()


async def test_a_node_that_has_the_channel_no_more_keeps_nobody_waiting(start_nodes: StartNodes, dial: Dial) -> None:
    one, two, three = await start_nodes(3, presence_deadline_s=LONG_S, linger_s=0.0)
    peer, client = await come(dial, two, C)
    _, other = await come(dial, three, C)
    asker = await dial(one, connect=True)
    async with asyncio.timeout(PATIENCE_S):
        while await present(asker) != {client, other}:
            await asyncio.sleep(0.01)
        await peer.ask(unsubscribe={"channel": C})
        await eventually(lambda: len(two.clients.channels.streams.interest) == 0)
        assert await present(asker) == {other}
        await three.stop()
        await three.engine.close()
        assert await present(asker) == set()


async def test_a_node_that_was_too_late_is_seen_by_those_that_ask_next(start_nodes: StartNodes, dial: Dial) -> None:
    one, two = await start_nodes(2, presence_deadline_s=0.1, presence_grace_s=0.01, presence_keep_s=LONG_S)
    _, client = await come(dial, two, C)
    asker, own = await come(dial, one, C)
    ear = Ear(two)
    ear.hold()
    assert await present(asker) == {own}
    ear.let_go()
    async with asyncio.timeout(PATIENCE_S):
        while await present(asker) != {own, client}:
            await asyncio.sleep(0.01)
    assert len(ear.heard) == 1
