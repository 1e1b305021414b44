"""Members on a real engine, and an attacker that has the engine's credentials and not the cluster's secret."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from random import Random

import pytest

from integration.nats_kit import operator
from integration.node.kit import Peer, eventually
from ringway.app.engine import EngineConfig, open_engine
from ringway.core.message_refusals import MessageRefusals
from ringway.errors import NoAnswer
from ringway.member.sealed_bus import SealedBus
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.ports import Bus, Engine
from ringway.protocol.envelope import PUBLICATION, Origin
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.order import MoveOrder, NodeConsent, SetState, decode_node_answer, encode
from ringway.protocol.seal import SealFault
from ringway.types import Channel, Incarnation, NodeName, NodeState
from support.fleet import Fleet, make_fleet
from support.log_capture import capture_logs
from support.redis_server import RedisServer
from support.sealed import sealed_bus

KEYRING = Keyring(b"the cluster's secret")
DRAIN = encode(SetState(draining=True))
LIVE, KEPT = Channel("live:a"), Channel("kept:a")
SOON = 0.3
PATIENCE_S = 30.0


@pytest.fixture(scope="module", params=["nats", "redis"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = make_fleet(request.param, tmp_path_factory.mktemp(request.param))
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.kill_all()


class Cluster:
    """A node on an engine, and further connections to that engine."""

    def __init__(self, fleet: Fleet, stack: AsyncExitStack) -> None:
        self._fleet = fleet
        self._stack = stack

    async def open(self) -> Engine:
        """Connect to the engine."""
        config = EngineConfig(url=self._fleet.url, cluster="sealed", wait_s=PATIENCE_S)
        return await self._stack.enter_async_context(open_engine(config, "test"))

    async def bus(self, keyring: Keyring = KEYRING) -> Bus:
        """Return the bus of a further member."""
        return sealed_bus(await self.open(), keyring)

    async def start(self, keyring: Keyring = KEYRING, number: int = 1) -> ChannelNode:
        config = NodeConfig(
            insecure=True,
            stop_deadline_s=1.0,
            allowed_hosts=("*",),
            namespaces=("live:history_size=0", "kept:history_size=100"),
        )
        node = ChannelNode(
            config, NodeName(f"n{number}"), Incarnation(f"{number:08x}"), await self.open(), keyring, rng=Random(number)
        )
        self._stack.push_async_callback(node.stop)
        await node.start()
        return node

    async def dial(self, node: ChannelNode) -> Peer:
        """Connect a client to `node`."""
        peer = await Peer.open(node.port)
        self._stack.callback(peer.abort)
        await peer.connect()
        return peer


@pytest.fixture
async def cluster(fleet: Fleet) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        yield Cluster(fleet, stack)


class Recorder:
    """The bus of an engine, which writes down the requests that pass, as an attacker at the engine reads them."""

    def __init__(self, bus: Bus) -> None:
        self.requests: list[bytes] = []
        self.serve, self.gather = bus.serve, bus.gather
        self._bus = bus

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        self.requests.append(request)
        return await self._bus.call(address, request, timeout_s=timeout_s)


async def test_a_forged_order_is_not_obeyed_and_not_answered(cluster: Cluster) -> None:
    node = await cluster.start()
    attacker = (await cluster.open()).bus
    with pytest.raises(NoAnswer) as caught:
        await attacker.call("node.n1", DRAIN, timeout_s=SOON)
    assert caught.value.timed_out
    assert node.state is NodeState.ACTIVE
    assert node.refusals.counts == {(Purpose.BUS, SealFault.UNSEALED): 1}


async def test_an_order_of_another_secret_is_not_obeyed_and_its_sender_is_told_why(cluster: Cluster) -> None:
    node = await cluster.start()
    stranger = await cluster.bus(Keyring(b"some other secret"))
    with pytest.raises(NoAnswer, match=r"compare engine\.secret"):
        await stranger.call("node.n1", DRAIN, timeout_s=SOON)
    assert node.state is NodeState.ACTIVE
    assert node.refusals.counts == {(Purpose.BUS, SealFault.FORGED): 1}


async def test_a_repeated_order_is_obeyed_once(cluster: Cluster) -> None:
    node = await cluster.start()
    recorder = Recorder((await cluster.open()).bus)
    member = SealedBus(recorder, KEYRING, Incarnation("00000002"), MessageRefusals())
    await member.call("node.n1", DRAIN, timeout_s=PATIENCE_S)
    assert node.state is NodeState.DRAINING
    await member.call("node.n1", encode(SetState(draining=False)), timeout_s=PATIENCE_S)
    assert node.state is NodeState.ACTIVE
    attacker = (await cluster.open()).bus
    with pytest.raises(NoAnswer):
        await attacker.call("node.n1", recorder.requests[0], timeout_s=SOON)
    assert node.state is NodeState.ACTIVE
    assert node.refusals.counts == {(Purpose.BUS, SealFault.REPLAYED): 1}


async def test_an_answer_of_a_stranger_is_not_believed(cluster: Cluster) -> None:
    async def lie(request: bytes) -> bytes:
        return encode(NodeConsent())

    await (await cluster.open()).bus.serve("node.n2", lie)
    with pytest.raises(NoAnswer, match="its answer was not believed"):
        await (await cluster.bus()).call("node.n2", DRAIN, timeout_s=PATIENCE_S)


async def test_proven_orders_are_obeyed_while_the_secret_changes(cluster: Cluster) -> None:
    await cluster.start(Keyring(b"new secret", b"old secret"))
    order = encode(MoveOrder(fence=1, target=NodeName("n2"), count=0, within_s=0))
    for keyring in (Keyring(b"old secret", b"new secret"), Keyring(b"new secret")):
        answer = await (await cluster.bus(keyring)).call("node.n1", order, timeout_s=PATIENCE_S)
        assert isinstance(decode_node_answer(answer), NodeConsent)


async def test_a_publication_that_is_not_proven_is_shown_to_nobody(cluster: Cluster) -> None:
    """Forged, of another secret, for another channel, or repeated: live and stored ones."""
    node, other = await cluster.start(), await cluster.start(number=2)
    attacker = await cluster.open()
    heard: dict[str, list[bytes]] = {"live": [], "kept": []}
    attacker.broker.attach(lambda channel, payload, offset, previous: heard[channel[:4]].append(payload))
    retention = node.clients.channels.namespaces.of(KEPT).retention
    assert retention is not None
    reader, writer = await cluster.dial(node), await cluster.dial(other)
    for channel in (LIVE, KEPT):
        await attacker.broker.subscribe(channel)
        await reader.subscribe(channel)
        await writer.publish(channel, "first")
        assert (await reader.push())["pub"]["data"] == "first"
    await eventually(lambda: bool(heard["live"] and heard["kept"]))
    stranger = Origin(Keyring(b"some other secret"), Incarnation("00000003"), time.time)
    for channel, past in ((LIVE, heard["live"][0]), (KEPT, heard["kept"][0])):
        elsewhere = Channel(f"{channel[:4]}:elsewhere")
        for payload in (
            b"", b"junk", b'{"data":"forged"}', stranger.seal(PUBLICATION, channel, b'{"data":"forged"}'), past,
            Origin(KEYRING, Incarnation("00000004"), time.time).seal(PUBLICATION, elsewhere, b'{"data":"forged"}'),
        ):  # fmt: skip
            if channel == LIVE:
                await attacker.broker.publish(channel, payload)
            else:
                await attacker.history.append(channel, payload, retention)
        await writer.publish(channel, "last")
        assert (await reader.push())["pub"]["data"] == "last"
    refused = node.refusals.counts
    assert {fault for _, fault in refused} == {SealFault.UNSEALED, SealFault.FORGED, SealFault.REPLAYED}
    assert sum(refused.values()) >= 11
    assert node.stats.repeated >= 1
    back = await cluster.dial(other)
    answer = (await back.ask(subscribe={"channel": KEPT, "recover": True, "offset": 0, "epoch": ""}))["subscribe"]
    assert [each["data"] for each in answer["publications"]] == ["first", "last"]
    page = (await back.ask(history={"channel": KEPT, "limit": 100}))["history"]
    assert [each["data"] for each in page["publications"]] == ["first", "last"]
    assert node.stats.lost == other.stats.lost == 0


@pytest.mark.parametrize("number", [str(1 << 62), "-7", '"text"', "1e300"], ids=["2^62", "negative", "text", "float"])
async def test_an_absurd_number_of_a_lease_is_told_and_neither_granted_nor_stops_anybody(
    cluster: Cluster, fleet: Fleet, number: str
) -> None:
    """An attacker gives the next leader a number after which nodes would obey nobody else."""
    lease = (await cluster.open()).lease
    first = await lease.acquire("poisoned", "g1", 2.0)
    assert first is not None
    await lease.release("poisoned", "g1")
    await write_fence(fleet, number)
    with capture_logs() as logs:
        successor = (await cluster.open()).lease
        second = await successor.acquire("poisoned", "g2", 2.0)
    await successor.release("poisoned", "g2")
    assert second is not None
    assert first < second < 2 * first, "from the engine's clock, as if nobody had written"
    assert len([log for log in logs if "somebody has written" in log["event"] and log["lease"] == "poisoned"]) == 1


async def write_fence(fleet: Fleet, fence: str) -> None:
    """Write the fencing number of the lease "poisoned", as one with the engine's credentials can."""
    if fleet.url.startswith("redis"):
        (server,) = fleet.servers.values()
        assert isinstance(server, RedisServer)
        server.command("SET", "rw:sealed:fence:{poisoned}", fence.strip('"'))
        return
    async with operator(fleet.url) as jetstream:
        value = f'{{"holder": "", "ttl_s": 0, "fence": {fence}}}'
        await jetstream.publish("$KV.rw-sealed-leases.poisoned", value.encode())
