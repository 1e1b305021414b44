"""The client against real nodes and a real gateway in one process, over the memory engine."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from client_kit import QUICK, until

import ringway
from ringway.core.group import Groups
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import MoveOrder, SetState, encode, node_address
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.members import report_reader, report_writer
from support.sealed import sealed_bus

pytestmark = pytest.mark.timeout(60)

SECRET = b"of this test"


class Cluster:
    def __init__(self) -> None:
        self.hub = MemoryHub()
        self.nodes: dict[str, ChannelNode] = {}
        self.engine: MemoryEngine = self.hub.open()
        issuer = Issuer("ffffffff")
        groups = Groups(issuer, lambda name: Steering("least-connected", SECRET))
        self.directory = Directory(issuer, report_reader(Keyring(SECRET)), groups=groups)
        config = GatewayConfig(port=0, linger_s=0.5)
        self.gateway = Gateway(config, self.directory, TicketSigner(Keyring(SECRET)), random.Random(1))

    async def start(self) -> None:
        await self.gateway.start()
        me = Report(name=NodeName("g1"), incarnation=Incarnation("ffffffff"), role=Role.GATEWAY, seq=0, url="")
        self.reporter = GatewayReporter(
            self.directory, self.engine, me, report_writer(Keyring(SECRET), me.name, me.incarnation), random.Random(2)
        )
        await self.reporter.start()

    async def stop(self) -> None:
        for node in list(self.nodes.values()):
            await node.stop()
        await self.gateway.stop()
        await self.reporter.stop()

    async def add(self, name: str) -> ChannelNode:
        incarnation = Incarnation(f"{len(self.nodes) + 1:08x}")
        config = NodeConfig(insecure=True, ping_interval_s=2, pong_timeout_s=1)
        node = ChannelNode(config, NodeName(name), incarnation, self.hub.open(), Keyring(SECRET), ring_secret=SECRET)
        await node.start()
        self.nodes[name] = node
        view = self.directory.groups
        await until(lambda: name in [node.name for node in view.eligible], f"{name} at the gateway")
        return node

    async def order(self, node: str, order: MoveOrder | SetState) -> None:
        await sealed_bus(self.engine, Keyring(SECRET)).call(node_address(NodeName(node)), encode(order), timeout_s=5)

    def client(self, scheme: str, **options: Any) -> ringway.Client:
        return ringway.Client(f"{scheme}://127.0.0.1:{self.gateway.port}", config=QUICK, **options)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    running = Cluster()
    await running.start()
    yield running
    await running.stop()


both_ways = pytest.mark.parametrize("scheme", ["http", "ws"])


@both_ways
async def test_two_clients_on_two_nodes_talk(cluster: Cluster, scheme: str) -> None:
    await cluster.add("n1")
    await cluster.add("n2")
    async with cluster.client(scheme) as alice, cluster.client(scheme) as bob:
        assert {alice.node, bob.node} == {"n1", "n2"}
        async with bob.subscribe("room") as room:
            for number in range(200):
                await alice.publish("room", number)
            got = [await room.receive() for _ in range(200)]
        assert [publication.data for publication in got] == list(range(200))
        assert {publication.client for publication in got} == {alice.id}


@both_ways
async def test_clients_are_moved_with_their_sessions_and_nothing_ends(cluster: Cluster, scheme: str) -> None:
    n1 = await cluster.add("n1")
    events: list[ringway.Event] = []
    clients = [cluster.client(scheme, on_event=events.append) for _ in range(20)]
    await asyncio.gather(*(client.open() for client in clients))
    rooms = [client.subscribe("room") for client in clients]
    await until(lambda: all(room.confirmed for room in rooms))
    ids = {client.id for client in clients}
    n2 = await cluster.add("n2")
    await cluster.order("n1", MoveOrder(fence=1, target=NodeName("n2"), count=10, within_s=0.2))
    await until(lambda: n2.stats.resumed == 10 and (n1.connections, n2.connections) == (10, 10))
    seen = 10 if scheme == "http" else 0  # through the gateway not even the client notices
    await until(lambda: sum(client.moves for client in clients) == seen)
    assert [event for event in events if isinstance(event, ringway.Moved)] == [ringway.Moved("n1", "n2")] * seen
    assert {client.node for client in clients if client.moves} == ({"n2"} if seen else set())
    assert {client.id for client in clients} == ids
    assert all(room.confirmed for room in rooms)
    assert not any(isinstance(event, ringway.Disconnected) for event in events)
    await clients[0].publish("room", "to all")
    for room in rooms:
        assert (await room.receive()).data == "to all"
    await asyncio.gather(*(client.close() for client in clients))
    await until(lambda: (n1.connections, n2.connections) == (0, 0))


@both_ways
async def test_a_node_that_shuts_down_loses_nobody(cluster: Cluster, scheme: str) -> None:
    await cluster.add("n1")
    async with cluster.client(scheme) as client, client.subscribe("room") as room:
        await cluster.add("n2")
        await cluster.nodes.pop("n1").stop()
        await until(lambda: client.node == "n2" and room.confirmed)
        await client.publish("room", "still here")
        assert (await room.receive()).data == "still here"


@both_ways
async def test_a_publish_outlasts_an_engine_that_is_away_for_a_while(cluster: Cluster, scheme: str) -> None:
    await cluster.add("n1")
    async with cluster.client(scheme) as client, client.subscribe("room") as room:
        cluster.hub.away = True
        publishing = asyncio.ensure_future(client.publish("room", "late"))
        await asyncio.sleep(0.1)
        assert not publishing.done()
        cluster.hub.away = False
        await publishing
        assert (await room.receive()).data == "late"


async def test_a_client_waits_for_the_first_node(cluster: Cluster) -> None:
    opening = asyncio.ensure_future(cluster.client("http").open())
    await asyncio.sleep(0.1)
    assert not opening.done()
    await cluster.add("n1")
    client = await opening
    assert client.node == "n1"
    await client.close()


@both_ways
async def test_pings_keep_the_connection(cluster: Cluster, scheme: str) -> None:
    node = await cluster.add("n1")
    events: list[ringway.Event] = []
    async with cluster.client(scheme, on_event=events.append):
        await asyncio.sleep(4.5)  # two pings, and their deadlines
        assert node.connections == 1
    assert [type(event) for event in events if not isinstance(event, ringway.Disconnected)] == [ringway.Connected]
