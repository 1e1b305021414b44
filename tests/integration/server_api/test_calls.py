"""Calls of Centrifugo's client for Python, unmodified, to a node: what subscribers get, and what is answered."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any

import cent
import pytest

from integration.node.conftest import Dial, StartNode
from integration.server_api.kit import KEY, serving
from ringway.engine.memory.broker import MemoryBroker
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import EngineError, Unconfirmed
from ringway.node.server import ChannelNode
from ringway.types import Channel

KEPT, PLAIN = "kept:room", "room"
NAMESPACES = ("default:history_size=0", "kept:history_size=100", "hidden:presence=false")


@pytest.fixture
async def node(start_node: StartNode) -> ChannelNode:
    return await start_node("n1", namespaces=NAMESPACES, presence_keep_s=0.0)


@pytest.fixture
async def client(node: ChannelNode) -> AsyncIterator[cent.AsyncClient]:
    async with serving(node, channels_max=1000, commands_max=300) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        try:
            yield client
        finally:
            await client.close()


async def refused(call: Any) -> int:
    """Return the code with which `call` is refused."""
    with pytest.raises(cent.CentApiResponseError) as caught:
        await call
    return int(caught.value.code)


async def test_a_publication_reaches_subscribers_with_its_data_and_tags(
    node: ChannelNode, client: cent.AsyncClient, dial: Dial
) -> None:
    peer = await dial(node, connect=True)
    await peer.subscribe(KEPT)
    data = {"text": "ä\n\u2028", "number": 12345678901234567890, "nested": [1, {"a": None}]}
    result = await client.publish(cent.PublishRequest(channel=KEPT, data=data, tags={"kind": "x"}))
    push = await peer.push()
    assert push == {"channel": KEPT, "pub": {"offset": result.offset, "data": data, "tags": {"kind": "x"}}}
    assert result.epoch
    assert (await client.publish(cent.PublishRequest(channel=PLAIN, data=1))).offset == 0


async def test_data_on_several_lines_arrives_on_one(node: ChannelNode, client: cent.AsyncClient, dial: Dial) -> None:
    peer = await dial(node, connect=True)
    await peer.subscribe(PLAIN)
    text = json.dumps({"a": [1, 2], "b": "x  y"}, indent=2)
    await client.publish(cent.PublishRequest(channel=PLAIN, data=None, b64data=b64encode(text.encode()).decode()))
    assert (await peer.push())["pub"] == {"data": {"a": [1, 2], "b": "x  y"}}


async def test_a_publication_without_history_is_sent_and_not_stored(
    node: ChannelNode, client: cent.AsyncClient, dial: Dial
) -> None:
    peer = await dial(node, connect=True)
    await peer.subscribe(KEPT)
    first = await client.publish(cent.PublishRequest(channel=KEPT, data=1))
    await client.publish(cent.PublishRequest(channel=KEPT, data=2, skip_history=True))
    last = await client.publish(cent.PublishRequest(channel=KEPT, data=3))
    assert [(await peer.push())["pub"]["data"] for _ in range(3)] == [1, 2, 3]
    kept = await client.history(cent.HistoryRequest(channel=KEPT, limit=10))
    assert [each.data for each in kept.publications] == [1, 3]
    assert (kept.offset, kept.epoch) == (last.offset, first.epoch)


async def test_an_idempotency_key_publishes_once(node: ChannelNode, client: cent.AsyncClient, dial: Dial) -> None:
    peer = await dial(node, connect=True)
    await peer.subscribe(KEPT)
    results = [
        await client.publish(cent.PublishRequest(channel=KEPT, data=number, idempotency_key="once"))
        for number in range(3)
    ]
    assert len({result.offset for result in results}) == 1
    await client.publish(cent.PublishRequest(channel=KEPT, data="end"))
    assert [(await peer.push())["pub"]["data"] for _ in range(2)] == [0, "end"]
    assert await refused(client.publish(cent.PublishRequest(channel=PLAIN, data=1, idempotency_key="k"))) == 108


async def test_a_broadcast_reaches_each_channel_and_tells_which_failed(
    node: ChannelNode, client: cent.AsyncClient, dial: Dial
) -> None:
    peer = await dial(node, connect=True)
    names = [f"room-{number}" for number in range(100)]
    for name in names:
        await peer.subscribe(name)
    others = [f"empty-{number}" for number in range(500)]
    result = await client.broadcast(cent.BroadcastRequest(channels=[*names, "", *others, KEPT], data={"a": 1}))
    assert len(result.responses) == 602
    errors = {at: reply.error for at, reply in enumerate(result.responses) if reply.error}
    assert {at: error.code for at, error in errors.items()} == {100: 107}
    assert result.responses[-1].result is not None
    assert result.responses[-1].result.offset
    assert {(await peer.push())["channel"] for _ in names} == set(names)


async def test_presence_names_and_counts_subscribers(node: ChannelNode, client: cent.AsyncClient, dial: Dial) -> None:
    peer, other = await dial(node), await dial(node, connect=True)
    me = (await peer.connect())["client"]
    for each in (peer, other):
        await each.subscribe(PLAIN)
    present = (await client.presence(cent.PresenceRequest(channel=PLAIN))).presence
    assert len(present) == 2
    assert present[me].client == me
    stats = await client.presence_stats(cent.PresenceStatsRequest(channel=PLAIN))
    assert stats.num_clients == 2
    assert await refused(client.presence(cent.PresenceRequest(channel="hidden:x"))) == 108


async def test_history_is_read_in_both_directions_and_from_a_position(client: cent.AsyncClient) -> None:
    results = [await client.publish(cent.PublishRequest(channel=KEPT, data=number)) for number in range(5)]
    last = await client.history(cent.HistoryRequest(channel=KEPT, limit=2, reverse=True))
    assert [each.data for each in last.publications] == [4, 3]
    since = cent.StreamPosition(offset=results[1].offset or 0, epoch=results[1].epoch or "")
    later = await client.history(cent.HistoryRequest(channel=KEPT, limit=-1, since=since))
    assert [each.data for each in later.publications] == [2, 3, 4]
    assert (await client.history(cent.HistoryRequest(channel=KEPT))).publications == []
    stranger = cent.StreamPosition(offset=1, epoch="another")
    assert await refused(client.history(cent.HistoryRequest(channel=KEPT, limit=1, since=stranger))) == 112
    assert await refused(client.history(cent.HistoryRequest(channel=PLAIN, limit=1))) == 108


async def test_a_history_that_is_removed_is_gone_and_who_missed_some_of_it_is_told(
    client: cent.AsyncClient, node: ChannelNode, dial: Dial
) -> None:
    watching, away = [await dial(node, connect=True) for _ in range(2)]
    await watching.subscribe(KEPT)
    first = await client.publish(cent.PublishRequest(channel=KEPT, data=1))
    last = await client.publish(cent.PublishRequest(channel=KEPT, data=2))
    assert [(await watching.push())["pub"]["data"] for _ in range(2)] == [1, 2]
    await client.history_remove(cent.HistoryRemoveRequest(channel=KEPT))
    assert (await client.history(cent.HistoryRequest(channel=KEPT, limit=10))).publications == []
    await client.publish(cent.PublishRequest(channel=KEPT, data=3))
    assert (await watching.push())["pub"]["data"] == 3
    for offset, recovered in ((first.offset, False), (last.offset, True)):
        asked = {"channel": KEPT, "recover": True, "epoch": last.epoch, "offset": offset}
        result = (await away.ask(subscribe=asked))["subscribe"]
        assert result.get("recovered", False) is recovered
        assert [pub["data"] for pub in result.get("publications", [])] == ([3] if recovered else [])
        await away.ask(unsubscribe={"channel": KEPT})
    assert await refused(client.history_remove(cent.HistoryRemoveRequest(channel=PLAIN))) == 108


async def test_info_and_channels_are_those_of_all_nodes(
    node: ChannelNode, client: cent.AsyncClient, start_node: StartNode, dial: Dial
) -> None:
    second = await start_node("n2", namespaces=NAMESPACES)
    for each, names in ((node, ("a:1", "b")), (second, ("a:1", "a:2"))):
        peer = await dial(each, connect=True)
        for name in names:
            await peer.subscribe(name)
    nodes = (await client.info(cent.InfoRequest())).nodes
    assert [(each.name, each.num_clients, each.num_subs, each.num_channels) for each in nodes] == [
        ("n1", 1, 2, 2),
        ("n2", 1, 2, 2),
    ]
    assert {each.uid for each in nodes} == {node.incarnation, second.incarnation}
    found = (await client.channels(cent.ChannelsRequest())).channels
    assert {name: each.num_clients for name, each in found.items()} == {"a:1": 2, "a:2": 1, "b": 1}
    assert set((await client.channels(cent.ChannelsRequest(pattern="a:*"))).channels) == {"a:1", "a:2"}
    assert await refused(client.channels(cent.ChannelsRequest(pattern="{a"))) == 107


async def test_more_channels_than_may_be_named_are_refused(node: ChannelNode, dial: Dial) -> None:
    peer = await dial(node, connect=True)
    for name in "abc":
        await peer.subscribe(name)
    async with serving(node, channels_max=2) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        assert await refused(client.channels(cent.ChannelsRequest())) == 106
        assert set((await client.channels(cent.ChannelsRequest(pattern="[ab]"))).channels) == {"a", "b"}
        assert await refused(client.broadcast(cent.BroadcastRequest(channels=["a", "b", "c"], data=1))) == 106
        await client.close()


@pytest.mark.parametrize("parallel", [False, True])
async def test_a_batch_answers_each_command_in_its_place(client: cent.AsyncClient, parallel: bool) -> None:
    commands: list[Any] = [cent.PublishRequest(channel=KEPT, data=number) for number in range(200)]
    commands += [cent.PresenceStatsRequest(channel=PLAIN), cent.ChannelsRequest()]
    batch = await client.batch(cent.BatchRequest(requests=commands, parallel=parallel))
    offsets = [reply.offset for reply in batch.replies[:200]]
    assert offsets == sorted(offsets)
    assert batch.replies[200].num_clients == 0
    assert batch.replies[201].channels == {}
    kept = await client.history(cent.HistoryRequest(channel=KEPT, limit=-1, reverse=True))
    assert [each.data for each in kept.publications] == list(range(199, 99, -1))


async def test_publications_while_the_engine_is_away_are_refused(hub: MemoryHub, client: cent.AsyncClient) -> None:
    hub.away = True
    assert await refused(client.publish(cent.PublishRequest(channel=PLAIN, data=1))) == 100
    results = await client.broadcast(cent.BroadcastRequest(channels=["a", KEPT], data=1))
    assert [reply.error.code for reply in results.responses if reply.error] == [100, 100]


async def test_channels_without_a_confirmation_at_the_deadline_are_told_so(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_many = MemoryBroker.publish_many

    async def hang_in_one(
        broker: MemoryBroker, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        sent = [each for each in publications if each[0] != "hangs"]
        outcomes = iter(await publish_many(broker, sent, deadline_s=deadline_s))
        if len(sent) < len(publications):
            await asyncio.sleep(deadline_s)
        late = Unconfirmed("nothing was heard")
        return [late if channel == "hangs" else next(outcomes) for channel, _ in publications]

    monkeypatch.setattr(MemoryBroker, "publish_many", hang_in_one)
    async with serving(await start_node("n2", namespaces=NAMESPACES, engine_deadline_s=0.2)) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        result = await client.broadcast(cent.BroadcastRequest(channels=["a", "hangs", "b"], data=1))
        assert [reply.error.code if reply.error else 0 for reply in result.responses] == [0, 100, 0]
        assert await refused(client.publish(cent.PublishRequest(channel="hangs", data=1))) == 100
        await client.close()


async def test_calls_under_way_are_answered_when_the_port_closes(node: ChannelNode) -> None:
    async with serving(node) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        call = asyncio.create_task(client.publish(cent.PublishRequest(channel=PLAIN, data=1)))
        while not call.done() and not node.stats.published:
            await asyncio.sleep(0)
        await server.close()
        await call
        await client.close()
