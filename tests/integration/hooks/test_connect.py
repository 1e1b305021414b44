"""The connect hook: who a client without a token is."""

import asyncio
import time
from random import Random
from typing import Any

import pytest

from integration.hooks.conftest import Dial, StartNode
from integration.hooks.kit import hook_of, in_s, outcomes, settings
from integration.node.kit import Peer, eventually
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.node.server import ChannelNode
from support.hook_server import HookServer
from support.tokens import SECRET, make_token


@pytest.fixture
async def node(start_node: StartNode, backend: HookServer) -> ChannelNode:
    return await start_node(**settings(backend, "http_headers=Cookie+X-Real-Ip", connect_hook="app"))


async def test_the_hook_is_told_of_the_client_and_names_it(node: ChannelNode, dial: Dial, backend: HookServer) -> None:
    backend.answer = {
        "result": {
            "user": "carol", "expire_at": in_s(3600), "info": {"name": "Carol"}, "data": {"hello": 1},
            "channels": ["news"], "subs": {"kept:a": {"info": 1, "data": [2]}}, "meta": {"plan": "x"},
        }
    }  # fmt: skip
    peer = await dial(node, cookie="session=1", user_agent="u", x_real_ip="6.6.6.6")
    result = (
        await peer.ask(connect={"data": {"a": 1}, "name": "js", "version": "2", "subs": {"news": {}}, "token": ""})
    )["connect"]
    assert backend.requests == [
        {
            "client": result["client"], "transport": "websocket", "protocol": "json", "encoding": "json",
            "data": {"a": 1}, "name": "js", "version": "2", "channels": ["news"],
        }
    ]  # fmt: skip
    headers = backend.headers[0]
    assert (headers["cookie"], headers["x-real-ip"]) == ("session=1", "127.0.0.1")
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "ringway"
    assert headers["ringway-event"] == "connect"
    assert result["data"] == {"hello": 1}
    assert set(result["subs"]) == {"news", "kept:a"}
    assert result["subs"]["kept:a"]["data"] == [2]
    (connection,) = node.clients.registry.of_user("carol")
    assert (connection.credentials.info, connection.credentials.meta) == (b'{"name":"Carol"}', b'{"plan":"x"}')
    assert connection.rights["kept:a"].info == b"1"  # type: ignore[index]
    assert (await peer.ask(presence={"channel": "news"}))["error"]["code"] == 103


async def test_a_client_with_a_good_token_is_not_asked_about(
    start_node: StartNode, dial: Dial, backend: HookServer
) -> None:
    verifier = make_verifier(
        TokenConfig(hmac_secret_key=SECRET.decode()), SubscriptionTokenConfig(), Random(1), time.time
    )
    node = await start_node(**settings(backend, connect_hook="app"), verifier=verifier)
    peer = await dial(node)
    assert "connect" in await peer.ask(connect={"token": make_token({"sub": "carol"})})
    assert backend.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"error": {"code": 1000, "message": "come later", "temporary": True}},
         {"code": 1000, "message": "come later", "temporary": True}),
        ({"error": {"code": 403, "message": "no: never"}}, {"code": 403, "message": "no: never"}),
        ({"result": {"user": "carol", "expire_at": 1}}, {"code": 110, "message": "expired"}),
        ({"result": {"user": "carol", "channels": ["nowhere:a"]}}, {"code": 102}),
        ({"result": {"user": "carol", "info": "x" * 5000}}, {"code": 100, "temporary": True}),
        ({"result": {"user": "carol", "channels": [f"c{n}" for n in range(200)]}}, {"code": 106}),
    ],
    ids=["temporary", "final", "ended", "unknown namespace", "too long", "too many"],
)  # fmt: skip
async def test_what_the_hook_refuses_or_may_not_give_is_an_error(
    node: ChannelNode, dial: Dial, backend: HookServer, answer: dict[str, Any], error: dict[str, Any]
) -> None:
    backend.answer = answer
    peer = await dial(node)
    refused = (await peer.ask(connect={}))["error"]
    assert {name: refused.get(name) for name in error} == error
    assert node.connections == 0


async def test_the_hook_may_have_the_client_closed(node: ChannelNode, dial: Dial, backend: HookServer) -> None:
    backend.answer = {"disconnect": {"code": 4501, "reason": "banned"}}
    peer = await dial(node)
    peer.send({"id": 1, "connect": {}})
    assert await peer.closed() == (4501, "banned")
    assert outcomes(node) == {"disconnect": 1}


@pytest.mark.parametrize("anonymous", [False, True])
async def test_an_answer_without_a_result_names_nobody(
    start_node: StartNode, dial: Dial, backend: HookServer, anonymous: bool
) -> None:
    more = {"allow_anonymous_connect_without_token": anonymous, "connect_hook": "app"}
    node = await start_node(**settings(backend, **more))
    peer = await dial(node)
    peer.send({"id": 1, "connect": {}})
    if anonymous:
        assert "connect" in await peer.reply(1)
        assert node.connections == 1
    else:
        assert (await peer.closed())[0] == 3501


async def test_later_commands_wait_for_the_answer_in_their_order(
    node: ChannelNode, dial: Dial, backend: HookServer
) -> None:
    backend.answer = {"result": {"user": "carol"}}
    backend.hang()
    peer = await dial(node)
    peer.send({"id": 1, "connect": {}})
    await eventually(lambda: backend.under_way == 1)
    peer.send({"id": 2, "subscribe": {"channel": "room"}})
    peer.send({"id": 3, "publish": {"channel": "room", "data": 1}})
    await asyncio.sleep(0)
    backend.go_on()
    assert "connect" in await peer.reply(1)
    assert "subscribe" in await peer.reply(2)
    assert "publish" in await peer.reply(3)
    assert (await peer.push())["pub"]["info"]["user"] == "carol"


async def test_connections_to_the_hook_are_kept(node: ChannelNode, dial: Dial, backend: HookServer) -> None:
    backend.answer = {"result": {"user": "carol"}}
    for _ in range(5):
        peer = await dial(node)
        assert "connect" in await peer.ask(connect={})
    assert len(backend.connections) == 1


async def connect_many(node: ChannelNode, dial: Dial, count: int) -> list[Peer]:
    peers = [await dial(node) for _ in range(count)]
    for peer in peers:
        peer.send({"id": 1, "connect": {}})
    return peers


async def test_requests_and_waiting_commands_are_bounded(
    start_node: StartNode, dial: Dial, backend: HookServer
) -> None:
    node = await start_node(**settings(backend, "concurrency_max=3", "queue_max=4", connect_hook="app"))
    backend.answer = {"result": {"user": "carol"}}
    backend.hang()
    peers = await connect_many(node, dial, 20)
    await eventually(lambda: outcomes(node).get("full") == 13)
    await eventually(lambda: backend.under_way == 3)
    assert hook_of(node).waiting == 4
    backend.go_on()
    replies = [await peer.reply(1) for peer in peers]
    assert sum("connect" in reply for reply in replies) == 7
    assert all(reply["error"]["code"] == 100 for reply in replies if "error" in reply)
    assert backend.under_way_most == 3


async def test_no_request_is_sent_for_a_client_that_went_before_its_turn(
    start_node: StartNode, dial: Dial, backend: HookServer
) -> None:
    node = await start_node(**settings(backend, "concurrency_max=1", connect_hook="app"))
    backend.answer = {"result": {"user": "carol"}}
    backend.hang()
    first, second = await connect_many(node, dial, 2)
    await eventually(lambda: hook_of(node).waiting == 1)
    second.abort()
    await eventually(lambda: len(node.clients.registry) == 1)
    backend.go_on()
    assert "connect" in await first.reply(1)
    await eventually(lambda: outcomes(node) == {"ok": 1, "gone": 1})
    assert len(backend.requests) == 1


async def test_a_client_that_goes_during_a_request_is_forgotten(
    node: ChannelNode, dial: Dial, backend: HookServer
) -> None:
    backend.answer = {"result": {"user": "carol"}}
    backend.hang()
    (peer,) = await connect_many(node, dial, 1)
    await eventually(lambda: backend.under_way == 1)
    peer.abort()
    await eventually(lambda: len(node.clients.registry) == 0)
    backend.go_on()
    await eventually(lambda: len(node.clients.queues) == 0)
    assert (node.connections, node.clients.registry.users) == (0, 0)


async def test_a_node_stops_while_requests_hang(start_node: StartNode, dial: Dial, backend: HookServer) -> None:
    node = await start_node(**settings(backend, "concurrency_max=2", connect_hook="app", stop_deadline_s=0.2))
    backend.hang()
    peers = await connect_many(node, dial, 5)
    await eventually(lambda: backend.under_way == 2)
    async with asyncio.timeout(60):
        await node.stop()
    for peer in peers:
        await peer.ended()
    await eventually(lambda: backend.under_way == 0)
