"""Effects of commands, and their order, over real sockets."""

import asyncio
import json
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import TEXT, Peer, eventually, frame, sealed
from ringway.engine.memory.engine import MemoryHub
from ringway.protocol.keyring import Purpose
from ringway.protocol.seal import SealFault
from ringway.types import Channel


async def test_connect_tells_how_to_go_on(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(ping_interval_s=20)
    peer = await dial(node)
    result = await peer.connect()
    assert len(result.pop("client")) == 32
    assert result.pop("session")
    assert result.pop("version")
    assert result == {"ping": 20, "pong": True, "node": "n1"}
    assert node.connections == 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b'{"id":1,"subscribe":{"channel":"c"}}', 3501),  # before connect
        (b'{"id":1,"publish":{"channel":"c","data":1}}', 3501),
        (b'{"id":1,"ping":{}}', 3501),
        (b'{"send":{"data":1}}', 3501),
        (b'{"id":1,"connect":{}}\n{"id":2,"connect":{}}', 3501),  # twice
        (b'{"id":1,"connect":{}}\n{"id":2,"unheard":{}}', 3501),
        (b'{"id":1,"connect":{}}\n{"id":2}', 3501),
        (b'{"id":1,"connect":{}}\n{"id":2,"ping":{},"rpc":{}}', 3501),
        (b'{"id":1,"connect":{}}\n{"ping":{}}', 3501),  # no id
        (b'{"id":1,"connect":{}}\n{"id":-1,"ping":{}}', 3501),
        (b'{"id":1,"connect":{}}\n{"id":4294967296,"ping":{}}', 3501),
        (b'{"id":1,"connect":{}}\n{"id":2,"publish":{"channel":"c","data":1},"ping":{}}', 3501),
        (b"", 0),
        (b"\n\n", 0),
        (b"hello", 3501),
        (b"[]", 3501),
        (b"null", 3501),
        (b'{"id":"1","connect":{}}', 3501),
        (b'{"id":1,"connect":[]}', 3501),
        (b'{"id":1,"connect":{}', 3501),
        (b'{"id":1,"connect":{}} {}', 3501),
        (b'{"id":1,"connect":{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}}", 3501),
        (b'\xef\xbb\xbf{"id":1,"connect":{}}', 3501),
    ],
)
async def test_what_cannot_be_read_ends_the_connection(
    start_node: StartNode, dial: Dial, lines: bytes, code: int
) -> None:
    node = await start_node()
    peer = await dial(node)
    peer.raw(frame(TEXT, lines))
    if code:
        assert (await peer.closed())[0] == code
        await peer.ended()
    else:
        await peer.connect()


@pytest.mark.parametrize(
    "lines",
    [b"hello", b'{"id":4', b'{"publish":{"channel":1}}', b'{"id":4,"publish":{"channel":"c","data":NaN}}'],
    ids=["no JSON", "cut short", "no id", "NaN"],
)
async def test_what_stands_before_a_line_that_cannot_be_read_is_carried_out(
    start_node: StartNode, dial: Dial, lines: bytes
) -> None:
    node = await start_node()
    reader = await dial(node, connect=True)
    await reader.subscribe("c")
    peer = await dial(node, connect=True)
    peer.raw(frame(TEXT, b'{"id":2,"publish":{"channel":"c","data":1}}\n{"id":3,"ping":{}}\n' + lines))
    assert (await peer.closed())[0] == 3501
    assert (await reader.push())["pub"]["data"] == 1


@pytest.mark.parametrize(
    "fields",
    [{"type": 0}, {"type": None, "tf": None}, {"delta": "fossil"}, {"data": {"a": 1}}, {"unheard": [1]}],
    ids=lambda fields: ",".join(fields),
)
async def test_fields_that_change_nothing_are_skipped(
    start_node: StartNode, dial: Dial, fields: dict[str, Any]
) -> None:
    peer = await dial(await start_node(), connect=True)
    assert "subscribe" in await peer.ask(subscribe={"channel": "c", **fields})


@pytest.mark.parametrize("text", [r"hi \ud83d", r"\ude00 back to front \ud83d"], ids=["one half", "swapped halves"])
async def test_a_command_that_cannot_be_read_is_refused_alone(start_node: StartNode, dial: Dial, text: str) -> None:
    """Browsers send an emoji cut in two (RFC 8259, 8.2)."""
    node = await start_node()
    peer = await dial(node, connect=True)
    cut = b'{"id":3,"publish":{"channel":"c","data":{"text":"' + text.encode() + b'"}}}'
    peer.raw(frame(TEXT, b'{"id":2,"ping":{}}\n' + cut + b'\n{"id":4,"ping":{}}'))
    before, refused, behind = [await peer.reply(command_id) for command_id in (2, 3, 4)]
    assert "error" not in before
    assert "error" not in behind
    assert refused["error"]["code"] == 107
    assert "surrogate" in refused["error"]["message"]
    peer.raw(frame(TEXT, b'{"id":5,"subscribe":{"channel":5}}'))
    assert (await peer.reply(5))["error"]["code"] == 107
    assert node.connections == 1


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"subscribe": {"channel": ""}}, 107),
        ({"subscribe": {}}, 107),
        ({"subscribe": {"channel": "a\nb"}}, 107),
        ({"subscribe": {"channel": "c" * 65}}, 107),
        ({"subscribe": {"channel": "€" * 22}}, 107),
        ({"subscribe": {"channel": "c", "type": 1}}, 108),
        ({"subscribe": {"channel": "c", "type": "map"}}, 108),
        ({"subscribe": {"channel": "c", "tf": {"op": "eq", "key": "a", "val": "b"}}}, 108),
        ({"subscribe": {"channel": "c", "tf": {}}}, 108),
        ({"unsubscribe": {"channel": "\x00"}}, 107),
        ({"publish": {"channel": "", "data": 1}}, 107),
        ({"publish": {"channel": "c"}}, 107),
        ({"presence": {"channel": "c"}}, 108),
        ({"presence_stats": {"channel": "c"}}, 108),
        ({"history": {"channel": "c"}}, 108),
        ({"publish": {"channel": "c", "data": 1, "idempotency_key": "k"}}, 108),
        ({"publish": {"channel": "kept:c", "data": 1, "idempotency_key": "k" * 129}}, 107),
        ({"publish": {"channel": "kept:c", "data": 1, "idempotency_key": "grün"}}, 107),
        ({"rpc": {"method": "m"}}, 108),
        ({"refresh": {"token": "t"}}, 108),
        ({"sub_refresh": {"channel": "c", "token": "t"}}, 108),
    ],
)
async def test_what_cannot_be_done_is_refused(
    start_node: StartNode, dial: Dial, request_: dict[str, Any], code: int
) -> None:
    namespaces = ("default:history_size=0,presence=false", "kept:history_size=1")
    node = await start_node(channel_bytes_max=64, namespaces=namespaces)
    peer = await dial(node, connect=True)
    error = (await peer.ask(**request_))["error"]
    assert error["code"] == code
    assert "temporary" not in error
    assert node.stats.errors == {code: 1}
    await peer.subscribe("c" * 64)


async def test_a_second_subscription_to_a_channel_is_refused(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(), connect=True)
    await peer.subscribe("c")
    assert (await peer.ask(subscribe={"channel": "c"}))["error"]["code"] == 105
    await peer.ask(unsubscribe={"channel": "c"})
    await peer.subscribe("c")


async def test_subscriptions_are_bounded(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(subscriptions_max=3), connect=True)
    for channel in "abc":
        await peer.subscribe(channel)
    assert (await peer.ask(subscribe={"channel": "d"}))["error"]["code"] == 106
    await peer.ask(unsubscribe={"channel": "a"})
    await peer.subscribe("d")


async def test_a_publication_reaches_all_subscribers_and_the_publisher_need_not_be_one(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node()
    peers = [await dial(node, connect=True) for _ in range(3)]
    publisher = await dial(node)
    client = (await publisher.connect())["client"]
    for peer in peers:
        await peer.subscribe("news")
    data = {"text": "grüße", "n": [1, 2.5, None, True], "deep": {"a": {}}}
    await publisher.publish("news", data)
    for peer in peers:
        push = await peer.push()
        assert push == {"channel": "news", "pub": {"data": data, "info": {"user": "", "client": client}}}
    assert not publisher.pushes
    assert (node.stats.publications, node.stats.deliveries, node.stats.published) == (1, 3, 1)


async def test_any_json_may_be_published(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(), connect=True)
    await peer.subscribe("c")
    for data in (None, False, 0, "", [], {}, '\\n\n"', "\u2028", [[[[1]]]]):
        await peer.publish("c", data)
        assert (await peer.push())["pub"]["data"] == data


async def test_after_the_unsubscribe_reply_nothing_more_comes(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("c")
    publisher = await dial(node, connect=True)
    for n in range(50):
        publisher.send({"id": 100 + n, "publish": {"channel": "c", "data": n}})
    assert await peer.ask(unsubscribe={"channel": "c"}) == {"unsubscribe": {}}
    peer.pushes.clear()
    await publisher.reply(149)
    assert await peer.ask(ping={}) == {"ping": {}}
    assert not peer.pushes
    assert await peer.ask(unsubscribe={"channel": "never"}) == {"unsubscribe": {}}


async def test_replies_to_one_frame_leave_in_one_frame(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    count = 40
    peer.send(*({"id": 10 + n, "publish": {"channel": "c", "data": n}} for n in range(count)))
    _, payload = await peer.recv()
    assert [json.loads(line)["id"] for line in payload.split(b"\n")] == list(range(10, 10 + count))
    peer.send(
        {"id": 90, "ping": {}}, {}, {"id": 91, "rpc": {"method": "x"}}, {"send": {"data": 1}}, {"id": 92, "ping": {}}
    )
    _, payload = await peer.recv()
    assert [json.loads(line)["id"] for line in payload.split(b"\n")] == [90, 91, 92]


async def test_commands_wait_for_those_before_them(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    broker = hub.members[0].broker
    peer = await dial(node, connect=True)
    gate = asyncio.Event()
    subscribe = broker.subscribe
    asked: list[str] = []

    async def slowly(channel: Any) -> None:
        asked.append(channel)
        await gate.wait()
        await subscribe(channel)

    monkeypatch.setattr(broker, "subscribe", slowly)
    other = await dial(node, connect=True)
    peer.send({"id": 11, "subscribe": {"channel": "c"}}, {"id": 12, "publish": {"channel": "c", "data": 1}})
    peer.send({"id": 13, "publish": {"channel": "c", "data": 2}}, {"id": 14, "unsubscribe": {"channel": "d"}})
    peer.send({"id": 15, "ping": {}})
    other.send({"id": 11, "subscribe": {"channel": "c"}})
    await eventually(lambda: bool(asked))
    assert await (await dial(node, connect=True)).ask(ping={}) == {"ping": {}}, "others are not held up"
    gate.set()
    lines = [await peer.line() for _ in range(7)]
    assert [line["id"] for line in lines if "id" in line] == [11, 12, 13, 14, 15]
    assert [line["push"]["pub"]["data"] for line in lines if "push" in line] == [1, 2]
    assert "subscribe" in lines[0], "no push before the subscribe reply"
    assert (await other.reply(11))["subscribe"] == {}
    assert asked == ["c"], "one request to the engine, shared"


async def test_no_push_overtakes_the_subscribe_reply(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    broker = hub.members[0].broker
    publish, gate = broker.publish, asyncio.Event()

    async def slowly(channel: Any, payload: bytes) -> None:
        await gate.wait()
        await publish(channel, payload)

    monkeypatch.setattr(broker, "publish", slowly)
    first, peer = await dial(node, connect=True), await dial(node, connect=True)
    await first.subscribe("c")
    peer.send({"id": 11, "subscribe": {"channel": "c"}}, {"id": 12, "publish": {"channel": "c", "data": 1}})
    await eventually(lambda: node.hub.count("c") == 2)  # type: ignore[arg-type]
    await hub.open().broker.publish("c", sealed(b'{"data":0}'))  # type: ignore[arg-type]
    assert (await first.push())["pub"]["data"] == 0
    gate.set()
    assert [set(await peer.line()) for _ in range(2)] == [{"id", "subscribe"}, {"push"}]


async def test_publications_of_one_client_keep_their_order(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    reader, writer = await dial(node, connect=True), await dial(node, connect=True)
    await reader.subscribe("c")
    number = 0
    for frame_size in (1, 7, 50, 1, 1, 200, 3):
        commands = []
        for _ in range(frame_size):
            number += 1
            commands.append({"id": 100 + number, "publish": {"channel": "c", "data": number}})
        writer.send(*commands)
    assert [(await reader.push())["pub"]["data"] for _ in range(number)] == list(range(1, number + 1))


async def test_while_the_engine_is_away_clients_stay_and_are_told(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("before")
    hub.away = True
    for request in ({"publish": {"channel": "before", "data": 1}}, {"subscribe": {"channel": "new"}}):
        error = (await peer.ask(**request))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
    assert not node.report().engine_up
    assert await peer.ask(unsubscribe={"channel": "other"}) == {"unsubscribe": {}}
    newcomer = await dial(node, connect=True)
    await newcomer.subscribe("before")  # the interest is there already
    hub.away = False
    await newcomer.subscribe("new")
    await newcomer.publish("before", 2)
    assert (await peer.push())["pub"]["data"] == 2
    assert node.connections == 2


async def test_an_engine_that_hangs_costs_an_error(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(engine_deadline_s=0.1, linger_s=0.0)
    broker = hub.members[0].broker
    gate = asyncio.Event()
    publish, subscribe = broker.publish, broker.subscribe

    async def hang(channel: Any, payload: bytes = b"") -> None:
        await gate.wait()
        await (publish(channel, payload) if payload else subscribe(channel))

    monkeypatch.setattr(broker, "publish", hang)
    monkeypatch.setattr(broker, "subscribe", hang)
    peer = await dial(node, connect=True)
    error = (await peer.ask(subscribe={"channel": "c"}))["error"]
    assert (error["code"], error["temporary"]) == (100, True)
    error = (await peer.ask(publish={"channel": "c", "data": 1}))["error"]
    assert error["code"] == 100
    assert "temporary" not in error, "it may have been published: a retry could double it"
    assert "c" not in node.hub
    gate.set()
    await peer.subscribe("c")  # shares what is still under way


async def test_a_connection_that_ends_while_it_subscribes_leaves_nothing_behind(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(linger_s=0.0)
    broker = hub.members[0].broker
    gate = asyncio.Event()
    subscribe = broker.subscribe
    asked: list[str] = []

    async def slowly(channel: Any) -> None:
        asked.append(channel)
        await gate.wait()
        await subscribe(channel)

    monkeypatch.setattr(broker, "subscribe", slowly)
    peer = await dial(node, connect=True)
    peer.send({"id": 5, "subscribe": {"channel": "c"}})
    await eventually(lambda: asked == ["c"])
    peer.abort()
    await eventually(lambda: node.connections == 0)
    gate.set()
    await eventually(lambda: node.clients.channels.streams.interest.holds(Channel("c")))
    await eventually(lambda: not node.clients.channels.streams.interest.holds(Channel("c")))
    assert len(node.hub) == 0


async def test_interest_ends_some_time_after_the_last_subscriber(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node(linger_s=0.5)
    peers = [await dial(node, connect=True) for _ in range(2)]
    for peer in peers:
        await peer.subscribe("c")
    peers[0].abort()
    await eventually(lambda: node.connections == 1)
    await asyncio.sleep(1.0)
    assert node.clients.channels.streams.interest.holds(Channel("c")), "one subscriber is left"
    peers[1].abort()
    await eventually(lambda: node.connections == 0)
    assert node.clients.channels.streams.interest.holds(Channel("c")), "it lingers"
    await eventually(lambda: not node.clients.channels.streams.interest.holds(Channel("c")))


async def connected(dial: Dial, node: Any, count: int) -> list[Peer]:
    return [await dial(node, connect=True) for _ in range(count)]


async def test_publications_of_one_turn_leave_in_one_frame(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    both, first, writer = await connected(dial, node, 3)
    for channel in ("a", "b"):
        await both.subscribe(channel)
    await first.subscribe("a")
    writer.send(*({"id": 20 + n, "publish": {"channel": "ab"[n % 2], "data": n}} for n in range(6)))
    _, payload = await both.recv()
    pushes = [json.loads(line)["push"] for line in payload.split(b"\n")]
    assert [(push["channel"], push["pub"]["data"]) for push in pushes] == [
        ("a", 0), ("a", 2), ("a", 4), ("b", 1), ("b", 3), ("b", 5),
    ]  # fmt: skip
    _, payload = await first.recv()
    assert [json.loads(line)["push"]["pub"]["data"] for line in payload.split(b"\n")] == [0, 2, 4]
    assert (node.stats.deliveries, node.stats.writes) == (9, 2)


async def test_a_malformed_publication_from_the_engine_is_dropped(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("c")
    foreign = hub.open().broker
    for payload in (b"", b"x", sealed(b"{}"), sealed(b'{"data":1}\n{"data":2}'), sealed(b'{"data":3}')):
        await foreign.publish("c", payload)  # type: ignore[arg-type]
    assert await peer.push() == {"channel": "c", "pub": {"data": 3}}
    assert node.stats.malformed == 2
    assert node.refusals.counts == {(Purpose.PUBLICATION, SealFault.UNSEALED): 2}
