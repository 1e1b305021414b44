"""Slow nodes are avoided by `least-response-time`, also by a gateway that opens no WebSockets itself."""

import asyncio
from contextlib import AsyncExitStack

from cluster_kit import channel_node, cluster
from gateway_kit import answer_101, eventually, handshake, raw_backend, read_head, unused_port

from ringway.core.load.response import FAILED_S
from ringway.protocol.directive import Directive
from ringway.types import NodeName
from support.checked_backends import Checked

SLOW_S = 0.5
CLIENTS = 40
NAMES = ("fast1", "fast2", "fast3", "slow")
HALF_OF_FAIR = CLIENTS / len(NAMES) / 2


def answering(name: str):
    """A server that opens WebSockets and refuses plain requests; the slow one takes its time over either."""

    async def serve(reader, writer):
        head = await read_head(reader)
        if name == "slow":
            await asyncio.sleep(SLOW_S + 0.01)  # timers may end a hair early
        upgrade = b"Upgrade: websocket" in head
        writer.write(answer_101(head) if upgrade else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    return raw_backend(serve)


async def test_handshakes_tell_which_backend_is_slow(start_rig):
    async with AsyncExitStack() as stack:
        urls = [f"{await stack.enter_async_context(answering(name))},name={name}" for name in NAMES]
        rig = await start_rig(*urls, policy="least-response-time")
        for _ in range(CLIENTS):
            raw = await rig.dial()
            await raw.send(handshake())
            assert (await raw.head())[0] == 101
        nodes = rig.directory.groups.nodes
        assert nodes["slow"].connections < HALF_OF_FAIR
        assert nodes["slow"].response.seen_s >= SLOW_S
        assert all(node.response.opening == 0 for node in nodes.values())


async def test_probes_tell_a_gateway_that_opens_nothing():
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster("least-response-time", probe_interval_s=0.1))
        for name in NAMES:
            await made.join(name, await stack.enter_async_context(answering(name)))
        nodes = made.directory.groups.nodes
        await eventually(lambda: all(node.response.known for node in nodes.values()))
        for _ in range(CLIENTS):
            assert (await made.get("/gateway"))[0] == 200
        assert nodes["slow"].load < HALF_OF_FAIR
        assert nodes["slow"].response.seen_s >= SLOW_S


async def test_a_node_that_hangs_counts_as_failed():
    async def hang(reader, writer):
        await reader.read()

    settings = {"probe_interval_s": 0.1, "answer_deadline_s": 0.2}
    async with cluster("least-response-time", **settings) as made, raw_backend(hang) as url:
        await made.join("n1", url)
        await made.join("n2", f"ws://127.0.0.1:{unused_port()}")
        nodes = made.directory.groups.nodes
        await eventually(lambda: [nodes[name].response.seen_s for name in ("n1", "n2")] == [FAILED_S, FAILED_S])


async def test_a_channel_node_answers_probes_from_when_the_policy_wants_them():
    async with cluster(probe_interval_s=0.1) as made, channel_node(made, "n1") as node:
        response = made.directory.groups.nodes[NodeName("n1")].response
        assert not response.known
        made.steering.follow(Directive(version=1, policy="least-response-time"))
        await eventually(lambda: response.known)
        assert response.seen_s < FAILED_S
        assert not node.stats.accepted
        assert not node.stats.refused


async def test_checks_of_backends_are_timed():
    async with answering("fast") as url, Checked(f"{url},name=a", f"ws://127.0.0.1:{unused_port()},name=b") as checked:
        nodes = checked.directory.groups.nodes
        await eventually(lambda: all(node.response.known for node in nodes.values()))
        assert nodes["a"].response.seen_s < FAILED_S
        assert nodes["b"].response.seen_s == FAILED_S
