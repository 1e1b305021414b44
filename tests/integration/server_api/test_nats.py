"""The server API over NATS: three nodes, called by Centrifugo's client in its two forms."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

import cent
import pytest

from integration.node.conftest import Dial
from integration.node.kit import KEYRING
from integration.server_api.kit import KEY, PATIENCE_S, serving
from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName

KEPT, PLAIN = "kept:room", "room"


@pytest.fixture
async def nodes(server: EmbeddedNats) -> AsyncIterator[list[ChannelNode]]:
    async with AsyncExitStack() as stack:
        started = []
        for number in range(1, 4):
            engine = await open_nats(server.url, name=f"n{number}")
            stack.push_async_callback(engine.close)
            config = NodeConfig(
                insecure=True,
                namespaces=("default:history_size=0", "kept:history_size=100"),
                allowed_hosts=("*",),
                stop_deadline_s=1.0,
                shed_handshakes=False,
            )
            name, incarnation = NodeName(f"n{number}"), Incarnation(f"{number:08x}")
            node = ChannelNode(config, name, incarnation, engine, KEYRING, rng=Random(number))
            stack.push_async_callback(node.stop)
            await node.start()
            started.append(node)
        yield started


async def test_a_call_to_any_node_reaches_the_subscribers_of_all(nodes: list[ChannelNode], dial: Dial) -> None:
    peers = [await dial(node, connect=True) for node in nodes]
    for peer in peers:
        await peer.subscribe(KEPT)
        await peer.subscribe(PLAIN)
    async with serving(nodes[0]) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        result = await client.broadcast(cent.BroadcastRequest(channels=[KEPT, PLAIN], data={"n": 1}))
        assert [reply.error for reply in result.responses] == [None, None]
        for peer in peers:
            pushes = {push["channel"]: push["pub"]["data"] for push in (await peer.push(), await peer.push())}
            assert pushes == {KEPT: {"n": 1}, PLAIN: {"n": 1}}
        assert len((await client.presence(cent.PresenceRequest(channel=KEPT))).presence) == 3
        assert (await client.channels(cent.ChannelsRequest(pattern="kept:*"))).channels[KEPT].num_clients == 3
        assert [node.name for node in (await client.info(cent.InfoRequest())).nodes] == ["n1", "n2", "n3"]
        await client.close()


async def test_a_user_is_cut_off_and_subscribed_at_all_nodes(
    nodes: list[ChannelNode], dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = Connection.accept

    def accept_as(connection: Connection, client: str, credentials: Credentials = ANONYMOUS) -> None:
        accept(connection, client, Credentials(user="u1", connected_at=time.time()))

    monkeypatch.setattr(Connection, "accept", accept_as)
    peers = [await dial(node, connect=True) for node in nodes]
    async with serving(nodes[0]) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        await client.subscribe(cent.SubscribeRequest(user="u1", channel=KEPT))
        await client.publish(cent.PublishRequest(channel=KEPT, data=1))
        for peer in peers:
            assert "subscribe" in await peer.push()
            assert (await peer.push())["pub"]["data"] == 1
        assert len((await client.connections(cent.ConnectionsRequest(user="u1", expression=""))).connections) == 3
        await client.disconnect(cent.DisconnectRequest(user="u1"))
        for peer in peers:
            assert await peer.closed() == (3503, "force disconnect")
        await client.close()


async def test_a_broadcast_to_a_thousand_channels_is_stored_in_each(nodes: list[ChannelNode]) -> None:
    names = [f"kept:{number}" for number in range(1000)]
    async with serving(nodes[1]) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        async with asyncio.timeout(PATIENCE_S):
            result = await client.broadcast(cent.BroadcastRequest(channels=names, data=1))
        offsets = [reply.result.offset for reply in result.responses if reply.result]
        assert len(set(offsets)) == 1000
        assert offsets == sorted(offsets, key=lambda offset: offset or 0), "in the order of the channels"
        await client.close()


async def test_the_client_without_a_loop_works_as_well(nodes: list[ChannelNode]) -> None:
    async with serving(nodes[2]) as server:
        client = cent.Client(f"{server.url}/api", KEY)

        def call() -> list[object]:
            first = client.publish(cent.PublishRequest(channel=KEPT, data=1))
            batch = client.batch(cent.BatchRequest(requests=[cent.HistoryRequest(channel=KEPT, limit=1)]))
            return [first.offset, batch.replies[0].offset]

        offset, newest = await asyncio.to_thread(call)
        assert offset
        assert offset == newest
        client.close()
