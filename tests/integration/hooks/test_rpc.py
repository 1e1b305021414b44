"""Calls of clients that a hook answers."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from integration.hooks.conftest import Dial
from integration.hooks.kit import hook_of, outcomes, settings
from integration.node.kit import KEYRING, Peer, eventually
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import ConfigError
from ringway.hooks.hooks import Hooks
from ringway.node.config.node import NodeConfig
from ringway.node.config.rpc import RpcConfig, RpcOffer
from ringway.node.rpc_hook import check_hooks, with_hooks
from ringway.node.server import ChannelNode
from ringway.types import Incarnation, NodeName
from support.hook_server import HookServer

SPEC = "app:endpoint=https://app.example/"


@pytest.fixture
async def node(hub: MemoryHub, backend: HookServer) -> AsyncIterator[ChannelNode]:
    given = settings(backend, "include_connection_meta=true", "http_headers=Cookie", connect_hook="app")
    rpc = RpcOffer(RpcConfig(hooks=("app", "shop=app"), timeout_s=60.0))
    config = NodeConfig(**given, allowed_hosts=("*",), shed_handshakes=False, stop_deadline_s=1.0)
    node = ChannelNode(
        config, NodeName("n1"), Incarnation("00000001"), hub.open(), KEYRING, ring_secret=b"r", rng=Random(1), rpc=rpc
    )
    await node.start()
    yield node
    await node.stop()


class Backend:
    """Names the client, and answers calls by `call`."""

    def __init__(self, server: HookServer) -> None:
        self.server = server
        self.call: Any = lambda request: {"result": {"data": [request["method"], request.get("data")]}}
        server.answer = lambda request: (
            self.call(request) if "method" in request else {"result": {"user": "carol", "meta": {"plan": "x"}}}
        )


@pytest.fixture
def app(backend: HookServer) -> Backend:
    return Backend(backend)


async def connected(dial: Dial, node: ChannelNode) -> Peer:
    peer = await dial(node, cookie="session=1")
    assert "connect" in await peer.ask(connect={})
    return peer


async def test_a_call_is_answered_by_the_hook_of_its_namespace(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer = await connected(dial, node)
    assert (await peer.ask(rpc={"method": "sum", "data": {"a": 1}}))["rpc"] == {"data": ["sum", {"a": 1}]}
    (connection,) = node.clients.registry.of_user("carol")
    assert app.server.requests[-1] == {
        "client": connection.client, "transport": "websocket", "protocol": "json", "encoding": "json", "user": "carol",
        "method": "sum", "data": {"a": 1}, "meta": {"plan": "x"},
    }  # fmt: skip
    assert app.server.headers[-1]["cookie"] == "session=1"
    assert (await peer.ask(rpc={"method": "shop:buy"}))["rpc"] == {"data": ["shop:buy", None]}
    assert (await peer.ask(rpc={"method": "other:x"}))["error"]["code"] == 104
    app.call = lambda request: {}
    assert (await peer.ask(rpc={"method": "sum"}))["rpc"] == {}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"error": {"code": 404, "message": "no"}}, {"code": 404, "message": "no"}),
        ({"result": 7}, {"code": 100, "message": "internal server error"}),
    ],
    ids=["refused", "unreadable"],
)
async def test_a_call_may_be_refused_or_fail(
    node: ChannelNode, dial: Dial, app: Backend, answer: dict[str, Any], error: dict[str, Any]
) -> None:
    app.call = lambda request: answer
    peer = await connected(dial, node)
    assert await peer.ask(rpc={"method": "sum"}) == {"error": error}


async def test_a_call_may_have_the_client_closed(node: ChannelNode, dial: Dial, app: Backend) -> None:
    app.call = lambda request: {"disconnect": {"code": 4501, "reason": "bye"}}
    peer = await connected(dial, node)
    peer.send({"id": 9, "rpc": {"method": "sum"}})
    assert await peer.closed() == (4501, "bye")


async def test_other_commands_do_not_wait_for_a_call(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer = await connected(dial, node)
    app.server.hang()
    peer.send({"id": 9, "rpc": {"method": "sum", "data": 1}})
    await eventually(lambda: app.server.under_way == 1)
    await peer.subscribe("room")
    app.server.go_on()
    assert (await peer.reply(9))["rpc"] == {"data": ["sum", 1]}


async def test_a_call_that_was_not_sent_may_be_made_again(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer = await connected(dial, node)
    app.server.status = 503
    for _ in range(9):
        assert not (await peer.ask(rpc={"method": "sum"}))["error"].get("temporary")
    await peer.ask(rpc={"method": "sum"})
    assert hook_of(node).is_open
    reply = await peer.ask(rpc={"method": "sum"})
    assert reply["error"].get("temporary") or outcomes(node)["status"] == 11  # it was the probe
    app.server.status = 200
    async with asyncio.timeout(90):
        while "rpc" not in await peer.ask(rpc={"method": "sum"}):
            await asyncio.sleep(0.02)


def test_calls_name_hooks_that_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        check_hooks((SPEC,), RpcConfig(hooks=("users", "a b", "app", "app")))
    assert len(refused.value.problems) == 3
    with pytest.raises(ConfigError, match=r"rpc.timeout_s \(4\)"):
        check_hooks((SPEC + ",timeout_s=2",), RpcConfig(hooks=("app",)))
    check_hooks((SPEC,), RpcConfig(hooks=("app", "shop=app")))


async def test_a_namespace_has_one_answer() -> None:
    class Function:
        async def answer_call(self, call: object) -> bytes:
            return b""

    with pytest.raises(ConfigError, match="has a function or a hook already"):
        with_hooks(RpcOffer(RpcConfig(hooks=("app",)), {"": Function()}), Hooks((SPEC,), lambda: 0.0))
