"""History over a real NATS: crowds that come back, a server that dies with and without what it stored, gaps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Literal

import pytest

from integration.node.conftest import Dial
from integration.node.kit import KEYRING, Peer, eventually
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.engine.nats.stream import HistorySettings
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.seal import BODY_AT
from ringway.types import Channel, Incarnation, NodeName

C = Channel("room:1")
CROWD = 1000

UNPINGED = {"ping_interval_s": 3600, "pong_timeout_s": 3599}
"""For peers that read only what the test asks for: while a thousand are opened, the first answer no ping."""

Pair = tuple[ChannelNode, ChannelNode]
StartPair = Callable[..., Awaitable[Pair]]


@pytest.fixture
async def start_pair(server: EmbeddedNats) -> AsyncIterator[StartPair]:
    """Start two nodes on engines of their own."""
    async with AsyncExitStack() as stack:

        async def start(storage: Literal["memory", "file"] = "file", **settings: Any) -> Pair:
            nodes: list[ChannelNode] = []
            for number in (1, 2):
                engine = await open_nats(server.url, name=f"n{number}", history=HistorySettings(storage))
                stack.push_async_callback(engine.close)
                incarnation, name = Incarnation(f"{number:08x}"), NodeName(f"n{number}")
                config = NodeConfig(
                    insecure=True,
                    **{"stop_deadline_s": 2.0, "shed_handshakes": False, "allowed_hosts": ("*",), **settings},
                )
                node = ChannelNode(config, name, incarnation, engine, KEYRING, rng=Random(number))
                stack.push_async_callback(node.stop)
                await node.start()
                nodes.append(node)
            return nodes[0], nodes[1]

        yield start


def engine_of(node: ChannelNode) -> NatsEngine:
    engine = node.engine
    assert isinstance(engine, NatsEngine)
    return engine


async def subscribe(peer: Peer, **request: Any) -> dict[str, Any]:
    return (await peer.ask(subscribe={"channel": C, **request}))["subscribe"]  # type: ignore[no-any-return]


async def publish_until_taken(peer: Peer, data: object) -> None:
    """Publish with a key until the engine has it: as a client does that wants to know."""
    request = {"channel": C, "data": data, "idempotency_key": f"{data}"}
    async with asyncio.timeout(30):
        while "error" in (answer := await peer.ask(publish=request)):
            assert answer["error"]["temporary"], answer
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_a_thousand_clients_that_come_back_at_once_cost_a_few_reads(start_pair: StartPair, dial: Dial) -> None:
    one, two = await start_pair(**UNPINGED)
    witness = await dial(one, connect=True)
    epoch = (await subscribe(witness))["epoch"]
    offsets = []
    for number in range(50):
        await witness.publish(C, number)
        offsets.append((await witness.push())["pub"]["offset"])
    peers = [await dial(two, connect=True) for _ in range(CROWD)]
    live = asyncio.create_task(publish_slowly(witness, range(50, 80)))

    async def come_back(number: int, peer: Peer) -> list[Any]:
        missed_from = number % 40
        result = await subscribe(peer, recover=True, epoch=epoch, offset=offsets[missed_from])
        assert result["recovered"]
        seen = [publication["data"] for publication in result["publications"]]
        while len(seen) < 80 - missed_from - 1:
            seen.append((await peer.push())["pub"]["data"])
        return seen

    seen = await asyncio.gather(*(come_back(number, peer) for number, peer in enumerate(peers)))
    await live
    assert seen == [list(range(number % 40 + 1, 80)) for number in range(CROWD)]
    assert two.stats.history_reads <= 3
    assert two.stats.recoveries == {"complete": CROWD}


async def publish_slowly(peer: Peer, numbers: range) -> None:
    for number in numbers:
        await peer.publish(C, number)
        await asyncio.sleep(0.01)


async def test_nats_dies_and_comes_back_with_its_files_and_nothing_is_missing(
    start_pair: StartPair, server: EmbeddedNats, dial: Dial
) -> None:
    one, two = await start_pair("file")
    reader, writer = await dial(one, connect=True), await dial(two, connect=True)
    before = await subscribe(reader)
    for number in range(10):
        await publish_until_taken(writer, number)
    await server.stop()
    publishing = asyncio.create_task(publish_all(writer, range(10, 30)))
    await eventually(lambda: not (one.report().engine_up or two.report().engine_up))
    refused = await (await dial(one, connect=True)).ask(subscribe={"channel": "new"})
    assert refused["error"]["temporary"]
    await server.start()
    await publishing
    assert [(await reader.push())["pub"]["data"] for _ in range(30)] == list(range(30))
    assert not one.stats.closed
    again = await dial(one, connect=True)
    result = await subscribe(again, recover=True, epoch=before["epoch"], offset=before.get("offset", 0))
    assert [publication["data"] for publication in result["publications"]] == list(range(30))


async def publish_all(peer: Peer, numbers: range) -> None:
    for number in numbers:
        await publish_until_taken(peer, number)


async def test_nats_dies_and_forgets_and_everybody_is_told(
    start_pair: StartPair, server: EmbeddedNats, dial: Dial
) -> None:
    one, two = await start_pair("memory")
    reader, writer = await dial(one, connect=True), await dial(two, connect=True)
    before = await subscribe(reader)
    await publish_until_taken(writer, 0)
    seen = (await reader.push())["pub"]["offset"]
    await server.stop()
    await eventually(lambda: not (one.report().engine_up or two.report().engine_up))
    await server.start()
    assert (await reader.closed())[0] == 3010
    await eventually(lambda: two.report().engine_up, 20.0)
    again = await dial(two, connect=True)
    result = await subscribe(again, recover=True, epoch=before["epoch"], offset=seen)
    assert result["was_recovering"]
    assert "recovered" not in result
    assert result["epoch"] != before["epoch"]
    await publish_until_taken(writer, 1)
    assert (await again.push())["pub"]["data"] == 1


async def test_a_publication_that_got_lost_on_the_way_is_fetched(start_pair: StartPair, dial: Dial) -> None:
    one, two = await start_pair()
    reader, writer = await dial(one, connect=True), await dial(two, connect=True)
    await subscribe(reader)
    await publish_until_taken(writer, 0)
    broker = engine_of(one).broker
    deliver, lost = broker.deliver, [3, 4, 7]

    def lossy(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        number = int(payload[BODY_AT + 8 :].split(b",")[0])
        if number in lost:
            lost.remove(number)
        else:
            deliver(channel, payload, offset, previous)

    broker.deliver = lossy
    await publish_all(writer, range(1, 20))
    assert [(await reader.push())["pub"]["data"] for _ in range(20)] == list(range(20))
    assert lost == []
    assert 1 <= one.stats.history_reads <= 4
    assert not one.stats.closed


async def test_presence_and_joins_over_nats(start_pair: StartPair, dial: Dial) -> None:
    one, two = await start_pair(namespaces=("default:join_leave=true",))
    peers = [await dial(node, connect=True) for node in (one, two)]
    await subscribe(peers[0], join_leave=True)
    assert "join" in await peers[0].push()
    await subscribe(peers[1])
    joined = (await peers[0].push())["join"]["info"]["client"]
    present = (await peers[0].ask(presence={"channel": C}))["presence"]["presence"]
    assert joined in present
    assert len(present) == 2
    peers[1].abort()
    assert (await peers[0].push())["leave"]["info"]["client"] == joined
    assert (await peers[0].ask(presence_stats={"channel": C}))["presence_stats"]["num_clients"] == 1
