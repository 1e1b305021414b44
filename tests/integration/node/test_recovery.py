"""Channels with history: a client that comes back gets all missed publications, or learns that some are missing."""

import asyncio
import json
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer, eventually, sealed
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.errors import Unconfirmed
from ringway.node.server import ChannelNode
from ringway.protocol.seal import BODY_AT
from ringway.types import Channel

NAMESPACES = (
    "default:history_size=50",
    "short:history_size=3",
    "loose:history_size=3,recovery=false",
    "plain:history_size=0",
)
C = Channel("c")


def engine_of(node: ChannelNode) -> MemoryEngine:
    engine = node.engine
    assert isinstance(engine, MemoryEngine)
    return engine


async def subscribe(peer: Peer, channel: str = C, **request: Any) -> dict[str, Any]:
    """The result of a subscribe."""
    return (await peer.ask(subscribe={"channel": channel, **request}))["subscribe"]  # type: ignore[no-any-return]


async def come_back(peer: Peer, before: dict[str, Any], offset: int, channel: str = C) -> dict[str, Any]:
    return await subscribe(peer, channel, recover=True, epoch=before["epoch"], offset=offset)


def data_of(publications: list[dict[str, Any]]) -> list[Any]:
    return [publication["data"] for publication in publications]


async def test_a_subscription_says_where_it_stands_and_publications_have_offsets(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)
    result = await subscribe(peer)
    assert result == {"recoverable": True, "positioned": True, "epoch": result["epoch"]}
    await peer.publish(C, 1)
    await peer.publish(C, 2)
    first, second = (await peer.push())["pub"], (await peer.push())["pub"]
    assert second["offset"] > first["offset"] > 0
    assert list(first) == ["offset", "data", "info"]
    assert await subscribe(await dial(node, connect=True)) == result | {"offset": second["offset"]}


async def test_who_comes_back_is_given_what_he_missed(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_node("n1", namespaces=NAMESPACES), await start_node("n2", namespaces=NAMESPACES)
    peer, writer = await dial(one, connect=True), await dial(one, connect=True)
    before = await subscribe(peer)
    await writer.publish(C, 0)
    seen = (await peer.push())["pub"]["offset"]
    peer.abort()
    for n in range(1, 5):
        await writer.publish(C, n)
    again = await dial(two, connect=True)
    result = await come_back(again, before, seen)
    assert (result["recovered"], result["was_recovering"], result["offset"]) == (True, True, seen)
    assert data_of(result["publications"]) == [1, 2, 3, 4]
    await writer.publish(C, 5)
    assert (await again.push())["pub"]["data"] == 5


@pytest.mark.parametrize("epoch", ["", None], ids=["of any epoch", "of the present epoch"])
@pytest.mark.parametrize("joined", [True, False], ids=["where the channel is held", "where it is not"])
async def test_from_the_offset_0_everything_that_is_kept_is_recovered(
    start_node: StartNode, dial: Dial, epoch: str | None, joined: bool
) -> None:
    one, two = await start_node("n1", namespaces=NAMESPACES), await start_node("n2", namespaces=NAMESPACES)
    writer = await dial(one, connect=True)
    present = (await subscribe(writer))["epoch"]
    for n in range(4):
        await writer.publish(C, n)
    peer = await dial(one if joined else two, connect=True)
    result = await subscribe(peer, recover=True, epoch=present if epoch is None else epoch, flag=2)
    assert (result["recovered"], result["was_recovering"], result["epoch"]) == (True, True, present)
    assert data_of(result["publications"]) == [0, 1, 2, 3]
    await writer.publish(C, 4)
    assert (await peer.push())["pub"]["data"] == 4


@pytest.mark.parametrize("epoch", ["", None], ids=["of any epoch", "of the present epoch"])
async def test_from_the_offset_0_a_channel_that_had_more_than_is_kept_is_not_recovered(
    start_node: StartNode, dial: Dial, epoch: str | None
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    writer = await dial(node, connect=True)
    present = (await subscribe(writer, "short:c"))["epoch"]
    for n in range(5):
        await writer.publish("short:c", n)
    peer = await dial(node, connect=True)
    request = {"channel": "short:c", "recover": True, "epoch": present if epoch is None else epoch}
    assert (await peer.ask(subscribe=request | {"flag": 2}))["error"]["code"] == 112
    result = (await peer.ask(subscribe=request))["subscribe"]
    assert result["was_recovering"]
    assert "recovered" not in result
    assert "publications" not in result


async def test_an_empty_epoch_is_the_present_one_also_for_who_missed_nothing(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    writer, peer = await dial(node, connect=True), await dial(node, connect=True)
    await subscribe(writer)
    await writer.publish(C, 0)
    offset = (await writer.push())["pub"]["offset"]
    result = await subscribe(peer, recover=True, epoch="", offset=offset)
    assert (result["recovered"], result["offset"]) == (True, offset)
    assert node.stats.history_reads == 0


async def test_who_missed_nothing_is_told_so_without_a_question_to_the_engine(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, other = await dial(node, connect=True), await dial(node, connect=True)
    before = await subscribe(peer)
    assert await come_back(other, before, before.get("offset", 0)) == before | {
        "recovered": True,
        "was_recovering": True,
    }
    assert node.stats.history_reads == 0


@pytest.mark.parametrize("channel", ["c", "plain:c"])
async def test_who_joins_is_not_given_what_was_delivered_before(
    start_node: StartNode, dial: Dial, channel: str
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    first, second = await dial(node, connect=True), await dial(node, connect=True)
    await subscribe(first, channel)
    [connection] = [one for one in node.clients.registry if not one.channels]
    offset = 1 if channel == C else 0
    node.clients.channels.streams.fanout.deliver(Channel(channel), sealed(b'{"data":1}'), offset, 0)
    node.clients.channels.join(connection, Channel(channel))
    node.clients.channels.streams.fanout.deliver(Channel(channel), sealed(b'{"data":2}'), 2 * offset, offset)
    assert [(await first.push())["pub"]["data"] for _ in range(2)] == [1, 2]
    assert (await second.push())["pub"]["data"] == 2


@pytest.mark.parametrize("flag", [0, 1, 2, 3])
async def test_who_missed_too_much_is_told(start_node: StartNode, dial: Dial, flag: int) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, writer = await dial(node, connect=True), await dial(node, connect=True)
    channel = "short:c"
    before = await subscribe(peer, channel)
    await writer.publish(channel, 0)
    seen = (await peer.push())["pub"]["offset"]
    peer.abort()
    for n in range(1, 6):  # three are kept
        await writer.publish(channel, n)
    again = await dial(node, connect=True)
    request = {"channel": channel, "recover": True, "epoch": before["epoch"], "offset": seen, "flag": flag}
    answer = await again.ask(subscribe=request)
    if flag & 2:
        assert answer["error"]["code"] == 112
        assert node.hub.count(Channel(channel)) == 0
    else:
        result = answer["subscribe"]
        assert result["was_recovering"]
        assert "recovered" not in result
        assert "publications" not in result
        assert result["offset"] > seen
        await writer.publish(channel, 6)
        assert (await again.push())["pub"]["data"] == 6
    assert node.stats.recoveries["incomplete"] == 1


async def test_another_epoch_is_never_recovered(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)
    before = await subscribe(peer)
    again = await dial(node, connect=True)
    result = await come_back(again, before | {"epoch": "other"}, 0)
    assert "recovered" not in result
    assert result["was_recovering"]


async def test_a_namespace_without_recovery_is_positioned_and_does_not_recover(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)
    before = await subscribe(peer, "loose:c")
    assert before["positioned"]
    assert "recoverable" not in before
    again = await come_back(await dial(node, connect=True), before, before.get("offset", 0), "loose:c")
    assert "recovered" not in again
    plain = await come_back(await dial(node, connect=True), before, 0, "plain:c")
    assert plain == {"was_recovering": True}


async def test_a_gap_is_filled_before_anything_newer_is_delivered(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, writer = await dial(node, connect=True), await dial(node, connect=True)
    await subscribe(peer)
    deliver = node.clients.channels.deliver

    def lossy(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        if json.loads(payload[BODY_AT:])["data"] not in (1, 2):
            deliver(channel, payload, offset, previous)

    engine_of(node).broker.attach(lossy)
    for n in range(5):
        await writer.publish(C, n)
    assert [(await peer.push())["pub"]["data"] for _ in range(5)] == list(range(5))
    assert (node.stats.gaps, node.stats.history_reads, node.stats.lost) == (1, 1, 0)


async def test_a_gap_that_history_cannot_fill_is_told_with_3010(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, writer, other = [await dial(node, connect=True) for _ in range(3)]
    before = await subscribe(peer, "short:c")
    await subscribe(other, "short:d")
    broker = engine_of(node).broker
    broker.attach(lambda *message: None)
    for n in range(5):
        await writer.publish("short:c", n)
    await asyncio.sleep(0)
    broker.attach(node.clients.channels.deliver)
    await writer.publish("short:c", 5)
    assert await peer.closed() == (3010, "insufficient state")
    result = await come_back(await dial(node, connect=True), before, before.get("offset", 0), "short:c")
    assert "recovered" not in result
    assert (node.stats.lost, node.stats.closed[3010]) == (1, 1)
    await writer.publish("short:d", 1)
    assert (await other.push())["pub"]["data"] == 1


async def test_after_an_outage_what_was_missed_is_fetched(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    one, two = await start_node("n1", namespaces=NAMESPACES), await start_node("n2", namespaces=NAMESPACES)
    peer, writer = await dial(one, connect=True), await dial(two, connect=True)
    await subscribe(peer)
    await writer.publish(C, 0)
    assert (await peer.push())["pub"]["data"] == 0
    await engine_of(one).broker.unsubscribe(C)  # NATS sends nothing to a node that it has lost
    await writer.publish(C, 1)
    await engine_of(one).broker.subscribe(C)
    hub.away = True
    hub.away = False
    assert (await peer.push())["pub"]["data"] == 1
    await writer.publish(C, 2)
    assert (await peer.push())["pub"]["data"] == 2


async def test_an_engine_that_lost_its_data_is_told_with_3010(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)
    before = await subscribe(peer)
    plain = await dial(node, connect=True)
    await subscribe(plain, "plain:c")
    hub.away = True
    hub.lose_data()
    hub.away = False
    assert (await peer.closed())[0] == 3010
    again = await dial(node, connect=True)
    result = await come_back(again, before, before.get("offset", 0))
    assert "recovered" not in result
    assert result["epoch"] != before["epoch"]
    await again.publish(C, 1)
    assert (await again.push())["pub"]["data"] == 1
    assert await plain.ask(ping={}) == {"ping": {}}


async def test_a_crowd_that_comes_back_costs_a_few_reads(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_node("n1", namespaces=NAMESPACES), await start_node("n2", namespaces=NAMESPACES)
    writer = await dial(one, connect=True)
    before = await subscribe(await dial(one, connect=True))
    offsets = []
    witness = await dial(one, connect=True)
    await subscribe(witness)
    for n in range(40):
        await writer.publish(C, n)
        offsets.append((await witness.push())["pub"]["offset"])
    peers = [await dial(two, connect=True) for _ in range(300)]

    async def recover(number: int, peer: Peer) -> list[Any]:
        result = await come_back(peer, before, offsets[number % 30])
        assert result["recovered"]
        return data_of(result["publications"])

    recovered = await asyncio.gather(*(recover(number, peer) for number, peer in enumerate(peers)))
    assert recovered == [list(range(number % 30 + 1, 40)) for number in range(300)]
    assert two.stats.history_reads <= 3
    await eventually(lambda: two.hub.count(C) == 300)


async def test_many_channels_are_made_ready_together(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    history = engine_of(node).history
    position, asked, most = history.position, 0, 0

    async def slowly(channel: Channel, retention: Any) -> Any:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        await asyncio.sleep(0.02)
        asked -= 1
        return await position(channel, retention)

    monkeypatch.setattr(history, "position", slowly)
    peer = await dial(node, connect=True)
    peer.send(*({"id": 10 + n, "subscribe": {"channel": f"c{n}"}} for n in range(20)))
    for n in range(20):
        assert "subscribe" in await peer.reply(10 + n)
    assert most == 20


async def test_what_is_recovered_is_bounded(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES, recovery_publications_max=5, recovery_bytes_max=4000)
    peer, writer = await dial(node, connect=True), await dial(node, connect=True)
    before = await subscribe(peer)
    offsets = []
    for n in range(8):
        await writer.publish(C, n)
        offsets.append((await peer.push())["pub"]["offset"])
    result = await come_back(await dial(node, connect=True), before, offsets[1])
    assert "recovered" not in result, "6 were missed, 5 may be recovered"
    result = await come_back(await dial(node, connect=True), before, offsets[2])
    assert data_of(result["publications"]) == [3, 4, 5, 6, 7]
    await writer.publish(C, "x" * 4000)
    await peer.push()
    result = await come_back(await dial(node, connect=True), before, offsets[7])
    assert "recovered" not in result, "more bytes than may be recovered"


async def test_nobody_recovers_more_than_the_namespace_stores(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, writer = await dial(node, connect=True), await dial(node, connect=True)
    channel = "short:c"  # three are kept
    before = await subscribe(peer, channel)
    await writer.publish(channel, 0)
    seen = (await peer.push())["pub"]["offset"]
    await writer.publish(channel, 1)
    early = await dial(node, connect=True)
    result = await come_back(early, before, seen, channel)  # from here on the node buffers the channel
    assert data_of(result["publications"]) == [1]
    for n in range(2, 4):
        await writer.publish(channel, n)
    result = await come_back(await dial(node, connect=True), before, seen, channel)
    assert data_of(result["publications"]) == [1, 2, 3]
    await writer.publish(channel, 4)
    result = await come_back(await dial(node, connect=True), before, seen, channel)
    assert "recovered" not in result, "4 were missed, 3 are stored"


async def test_who_recovers_many_channels_is_not_taken_for_slow(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES, commands_per_s=10_000)
    writer = await dial(node, connect=True)
    channels = [f"c{n}" for n in range(20)]
    before = [await subscribe(writer, channel) for channel in channels]
    for channel in channels:
        await writer.ask(unsubscribe={"channel": channel})
        for n in range(50):
            await writer.publish(channel, f"{n}:" + "x" * 8000)
    again = await dial(node, connect=True, receive_buffer_bytes=4096)
    requests = [
        {"channel": channel, "recover": True, "epoch": position["epoch"], "offset": position.get("offset", 0)}
        for channel, position in zip(channels, before, strict=True)
    ]
    again.send(*({"id": 10 + n, "subscribe": request} for n, request in enumerate(requests)))
    for n in range(20):
        assert len((await again.reply(10 + n))["subscribe"]["publications"]) == 50
    assert not node.stats.closed


async def test_a_publication_with_a_key_is_stored_once(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)
    await subscribe(peer)
    for data in (1, 2):
        request = {"channel": C, "data": data, "idempotency_key": "k"}
        assert await peer.ask(publish=request) == {"publish": {}}
    await peer.publish(C, 3)
    assert [(await peer.push())["pub"]["data"] for _ in range(2)] == [1, 3]


async def test_an_unconfirmed_publication_may_be_repeated_where_it_has_a_key(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer = await dial(node, connect=True)

    async def unconfirmed(*_: object) -> None:
        raise Unconfirmed("lost")

    monkeypatch.setattr(engine_of(node).history, "append", unconfirmed)
    for key, temporary in (("", False), ("k", True)):
        error = (await peer.ask(publish={"channel": C, "data": 1, "idempotency_key": key}))["error"]
        assert (error["code"], error.get("temporary", False)) == (100, temporary)


async def test_a_node_makes_what_its_namespaces_need_when_it_starts(start_node: StartNode, hub: MemoryHub) -> None:
    await start_node(namespaces=NAMESPACES)
    kept = {name: space.retention.size for name, space in hub.namespaces.items()}
    assert kept == {"default": 50, "short": 3, "loose": 3}


async def test_history_can_be_read(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES, recovery_publications_max=20)
    peer = await dial(node, connect=True)
    for n in range(30):
        await peer.publish(C, n)

    async def read(**request: Any) -> dict[str, Any]:
        return (await peer.ask(history={"channel": C, **request}))["history"]  # type: ignore[no-any-return]

    top = await read()
    assert set(top) == {"epoch", "offset"}
    first = (await read(limit=2))["publications"]
    assert data_of(first) == [0, 1]
    assert first[0]["info"]["client"]
    since = {"epoch": top["epoch"], "offset": first[1]["offset"]}
    assert data_of((await read(limit=3, since=since))["publications"]) == [2, 3, 4]
    assert data_of((await read(limit=3, reverse=True))["publications"]) == [29, 28, 27]
    assert data_of((await read(limit=3, reverse=True, since=since))["publications"]) == [0]
    assert data_of((await read(limit=-1))["publications"]) == list(range(20))
    other = await peer.ask(history={"channel": C, "limit": 1, "since": since | {"epoch": "other"}})
    assert other["error"]["code"] == 112


async def test_history_that_is_read_in_vain_for_a_client_is_paid_for(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(
        namespaces=NAMESPACES,
        answer_bytes_per_s=1024.0,
        answer_bytes_burst=1024 * 1024,
        recovery_bytes_max=1024,
        tail_bytes_max=128 * 1024,
    )
    peer = await dial(node, connect=True)
    before = await subscribe(peer)
    for n in range(40):
        await peer.publish(C, f"{n}" * 4000)
    await peer.ask(unsubscribe={"channel": C})
    again = {"channel": C, "recover": True, "epoch": before["epoch"], "offset": 1, "flag": 1}
    for n in range(60):
        peer.send({"id": 1000 + n, "subscribe": again}, {"id": 2000 + n, "unsubscribe": {"channel": C}})
    (connection,) = node.clients.registry
    await eventually(lambda: connection.answer_due_s() > 0)
    assert node.stats.history_reads < 20
