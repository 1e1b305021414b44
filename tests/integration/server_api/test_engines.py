"""The server API over NATS and over Redis: three nodes, called by Centrifugo's client in its two forms."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import cent
import pytest

from integration.node.conftest import Dial
from integration.node.kit import KEYRING
from integration.server_api.kit import KEY, PATIENCE_S, serving
from ringway.app.engine import EngineConfig, open_engine
from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName
from support.fleet import Fleet, make_fleet

KEPT, PLAIN = "kept:room", "room"

clusters = itertools.count(1)


@pytest.fixture(scope="module", params=["nats", "redis"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = make_fleet(request.param, tmp_path_factory.mktemp(request.param))
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.kill_all()


@pytest.fixture
async def nodes(fleet: Fleet) -> AsyncIterator[list[ChannelNode]]:
    engine_config = EngineConfig(url=fleet.url, cluster=f"api-{next(clusters)}", wait_s=PATIENCE_S)
    async with AsyncExitStack() as stack:
        started = []
        for number in range(1, 4):
            engine = await stack.enter_async_context(open_engine(engine_config, f"n{number}"))
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


@asynccontextmanager
async def calling(*nodes: ChannelNode) -> AsyncIterator[list[cent.AsyncClient]]:
    """Serve the API of `nodes`; yield a client of each."""
    async with AsyncExitStack() as stack:
        clients = []
        for node in nodes:
            server = await stack.enter_async_context(serving(node))
            client = cent.AsyncClient(f"{server.url}/api", KEY)
            stack.push_async_callback(client.close)
            clients.append(client)
        yield clients


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
    async with calling(nodes[1]) as (client,):
        async with asyncio.timeout(PATIENCE_S):
            result = await client.broadcast(cent.BroadcastRequest(channels=names, data=1))
        offsets = [reply.result.offset or 0 for reply in result.responses if reply.result]
        assert len(offsets) == 1000
        assert offsets == sorted(offsets), "in the order of the channels"
        for number in (0, 500, 999):
            kept = await client.history(cent.HistoryRequest(channel=names[number], limit=10))
            assert [each.offset for each in kept.publications] == [offsets[number]]


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


async def test_a_key_publishes_once_at_whichever_node_and_by_whichever_method(
    nodes: list[ChannelNode], dial: Dial
) -> None:
    peer = await dial(nodes[2], connect=True)
    await peer.subscribe(KEPT)
    async with calling(*nodes) as clients:

        def keyed(number: int, key: str) -> cent.PublishRequest:
            return cent.PublishRequest(channel=KEPT, data=number, idempotency_key=key)

        first = await clients[0].publish(keyed(1, "a"))
        again = await clients[1].publish(keyed(2, "a"))
        assert (again.offset, again.epoch) == (first.offset, first.epoch)
        batch = await clients[2].batch(cent.BatchRequest(requests=[keyed(3, "a"), keyed(4, "b"), keyed(5, "b")]))
        assert [reply.offset for reply in batch.replies[:2]] == [first.offset, batch.replies[2].offset]
        second = batch.replies[1]
        for client, key, before in ((clients[0], "b", second), (clients[1], "a", first)):
            broadcast = cent.BroadcastRequest(channels=[KEPT, "kept:other"], data=6, idempotency_key=key)
            for _ in range(2):
                replies = (await client.broadcast(broadcast)).responses
                assert replies[0].result is not None
                assert (replies[0].result.offset, replies[0].result.epoch) == (before.offset, before.epoch)
        other = await clients[2].history(cent.HistoryRequest(channel="kept:other", limit=10))
        assert [each.data for each in other.publications] == [6, 6], "a key belongs to a channel"
        await clients[0].publish(keyed(7, "c"))
        assert [(await peer.push())["pub"]["data"] for _ in range(3)] == [1, 4, 7]
        kept = await clients[1].history(cent.HistoryRequest(channel=KEPT, limit=10))
        assert [each.data for each in kept.publications] == [1, 4, 7]


async def test_a_batch_publishes_in_order_and_answers_each(nodes: list[ChannelNode], dial: Dial) -> None:
    peer = await dial(nodes[1], connect=True)
    for channel in (KEPT, PLAIN):
        await peer.subscribe(channel)
    requests: list[cent.PublishRequest] = []
    for number in range(300):
        requests.append(cent.PublishRequest(channel=KEPT, data=number))
        requests.append(cent.PublishRequest(channel=PLAIN, data=number))
    async with calling(nodes[0]) as (client,):
        batch = await client.batch(cent.BatchRequest(requests=requests))
        pushes = [await peer.push() for _ in range(600)]
        for channel in (KEPT, PLAIN):
            assert [push["pub"]["data"] for push in pushes if push["channel"] == channel] == list(range(300))
        offsets = [push["pub"]["offset"] for push in pushes if push["channel"] == KEPT]
        assert [reply.offset for reply in batch.replies[::2]] == offsets
        kept = await client.history(cent.HistoryRequest(channel=KEPT, limit=-1))
        assert [each.data for each in kept.publications] == list(range(200, 300))
