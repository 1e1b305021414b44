"""The refresh hooks: connections and subscriptions that have come to their end, and moves in between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from integration.hooks.conftest import Dial, StartNode
from integration.hooks.kit import RULES, hook_of, in_s, settings
from integration.node.follower import Follower
from integration.node.kit import Peer, ask, eventually, order
from ringway.engine.memory.engine import MemoryHub
from ringway.hooks.stats import HookOutcome
from ringway.node.server import ChannelNode
from support.hook_server import HookServer

SPACES = (
    RULES[0],
    "asked:history_size=0,subscribe_hook=app,sub_refresh_hook=app",
    "kept:history_size=100,subscribe_hook=app",
)
CHANNEL = "asked:a"


class Backend:
    """Gives each connection and subscription `lasts_s`, and answers about their ends by `refreshed`."""

    def __init__(self, server: HookServer) -> None:
        self.server = server
        self.lasts_s = 1.0
        self.sub_lasts_s: float | None = None
        self.refreshed: Any = lambda: {"result": {"expire_at": in_s(3600), "info": {"v": 2}}}
        server.answer = self._answer

    def count(self, what: str) -> int:
        return sum(self._kind(request) == what for request in self.server.requests)

    @staticmethod
    def _kind(request: dict[str, Any]) -> str:
        if "user" not in request:
            return "connect"
        return "channel" if "channel" in request else "refresh"

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        kind = self._kind(request)
        if kind == "connect":
            result = {"user": "carol", "expire_at": in_s(self.lasts_s), "info": {"v": 1}, "meta": {"plan": "x"}}
            return {"result": result}
        if kind == "channel" and self.sub_lasts_s is not None:
            lasts_s, self.sub_lasts_s = self.sub_lasts_s, None
            return {"result": {"expire_at": in_s(lasts_s), "info": {"s": 1}}}
        answer: dict[str, Any] = self.refreshed()
        return answer


@pytest.fixture
def app(backend: HookServer) -> Backend:
    return Backend(backend)


def given(app: Backend, *options: str, **more: Any) -> dict[str, Any]:
    usual = {
        "connect_hook": "app", "refresh_hook": "app", "namespaces": SPACES, "refresh_retry_s": 0.2,
        "move_cool_down_s": 0.0, "expired_close_delay_s": 0.0, "expired_sub_close_delay_s": 0.0,
    }  # fmt: skip
    return settings(app.server, "include_connection_meta=true", *options, **usual | more)


@pytest.fixture
async def node(start_node: StartNode, app: Backend) -> ChannelNode:
    return await start_node(**given(app))


async def connected(node: ChannelNode, dial: Dial) -> tuple[Peer, dict[str, Any]]:
    peer = await dial(node)
    return peer, (await peer.ask(connect={}))["connect"]


async def test_the_hook_is_asked_at_the_end_and_the_client_does_nothing(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    peer, result = await connected(node, dial)
    assert not result.get("expires")
    await eventually(lambda: app.count("refresh") == 1)
    assert app.server.requests[-1] == {
        "client": result["client"], "transport": "websocket", "protocol": "json", "encoding": "json", "user": "carol",
        "meta": {"plan": "x"},
    }  # fmt: skip
    (connection,) = node.clients.registry.of_user("carol")
    await eventually(lambda: connection.credentials.info == b'{"v":2}')
    assert connection.credentials.expires_at >= in_s(3000)
    assert connection.credentials.meta == b'{"plan":"x"}'
    assert "ping" in await peer.ask(ping={})
    assert (await peer.ask(refresh={"token": "x"}))["error"]["code"] == 108


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"result": {"expired": True}}, 3005),
        ({"result": {"expire_at": 1}}, 3005),
        ({"result": {}}, 3005),
        ({}, 3005),
        ({"error": {"code": 403}}, 3005),
        ({"disconnect": {"code": 4500, "reason": "gone"}}, 4500),
    ],
    ids=["expired", "in the past", "no end", "no result", "error", "disconnect"],
)
async def test_a_connection_that_does_not_go_on_is_closed(
    node: ChannelNode, dial: Dial, app: Backend, answer: dict[str, Any], code: int
) -> None:
    app.refreshed = lambda: answer
    peer, _ = await connected(node, dial)
    assert (await peer.closed())[0] == code
    assert app.count("refresh") == 1


@pytest.mark.parametrize("fault", ["away", "500", "temporary error", "too much"])
async def test_a_hook_that_fails_ends_nothing_and_is_asked_again(
    start_node: StartNode, dial: Dial, app: Backend, fault: str
) -> None:
    node = await start_node(**given(app, "breaker_failures=0"))
    peer, _ = await connected(node, dial)
    good = app.refreshed
    if fault == "away":
        await app.server.stop()
    elif fault == "500":
        app.server.status = 500
    elif fault == "too much":
        app.refreshed = lambda: {"result": {"expire_at": in_s(60), "info": "x" * 5000}}
    else:
        app.refreshed = lambda: {"error": {"code": 100, "temporary": True}}
    await eventually(
        lambda: sum(count for (event, _), count in hook_of(node).stats.requests.items() if event == "refresh") > 2
    )
    assert "ping" in await peer.ask(ping={})
    app.server.status, app.refreshed = 200, good
    if fault == "away":
        await app.server.start()
    (connection,) = node.clients.registry.of_user("carol")
    await eventually(lambda: connection.credentials.info == b'{"v":2}')
    assert "ping" in await peer.ask(ping={})


async def test_the_patience_with_a_hook_that_fails_has_an_end(start_node: StartNode, dial: Dial, app: Backend) -> None:
    node = await start_node(**given(app, refresh_grace_s=1.0))
    peer, _ = await connected(node, dial)
    app.server.status = 500
    assert await peer.closed() == (3005, "connection expired")


async def test_one_request_is_under_way_for_a_connection(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer, _ = await connected(node, dial)
    app.server.hang()
    await eventually(lambda: app.server.under_way == 1)
    await peer.subscribe("room")
    await asyncio.sleep(0.3)  # several ticks
    assert app.server.under_way_most == 1
    app.server.go_on()
    (connection,) = node.clients.registry.of_user("carol")
    await eventually(lambda: connection.credentials.info == b'{"v":2}')


async def test_a_subscription_goes_on_by_its_hook(node: ChannelNode, dial: Dial, app: Backend) -> None:
    app.lasts_s, app.sub_lasts_s = 3600, 1
    peer, _ = await connected(node, dial)
    result = (await peer.ask(subscribe={"channel": CHANNEL}))["subscribe"]
    assert not result.get("expires")
    (connection,) = node.clients.registry.of_user("carol")
    await eventually(lambda: connection.rights[CHANNEL].info == b'{"v":2}')  # type: ignore[index]
    assert connection.rights[CHANNEL].expires_at >= in_s(3000)  # type: ignore[index]
    assert app.server.requests[-1]["channel"] == CHANNEL
    assert (await peer.ask(sub_refresh={"channel": CHANNEL, "token": "x"}))["error"]["code"] == 108


async def test_a_subscription_that_does_not_go_on_ends_alone(node: ChannelNode, dial: Dial, app: Backend) -> None:
    app.lasts_s, app.sub_lasts_s = 3600, 1
    app.refreshed = lambda: {"result": {"expired": True}}
    peer, _ = await connected(node, dial)
    await peer.subscribe(CHANNEL)
    push = await peer.push()
    assert (push["channel"], push["unsubscribe"]["code"]) == (CHANNEL, 2501)
    assert "ping" in await peer.ask(ping={})


async def test_an_answer_about_a_subscription_that_was_left_meanwhile_has_no_effect(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    app.lasts_s, app.sub_lasts_s = 3600, 1
    peer, _ = await connected(node, dial)
    await peer.subscribe(CHANNEL)
    app.server.hang()
    await eventually(lambda: app.server.under_way == 1)
    await peer.ask(unsubscribe={"channel": CHANNEL})
    app.server.go_on()
    await eventually(lambda: app.server.under_way == 0)
    (connection,) = node.clients.registry.of_user("carol")
    await peer.subscribe("room")
    assert CHANNEL not in connection.rights


# moves


@pytest.fixture
async def pair(start_node: StartNode, app: Backend) -> tuple[ChannelNode, ChannelNode]:
    return await start_node("n1", **given(app)), await start_node("n2", **given(app))


@pytest.fixture
async def follower(pair: tuple[ChannelNode, ChannelNode], app: Backend) -> AsyncIterator[Follower]:
    app.lasts_s, app.sub_lasts_s = 4, 3600
    client = await Follower.open(*pair, channels=("kept:a",))
    yield client
    client.peer.abort()


async def test_what_hooks_gave_moves_and_the_node_that_holds_the_connection_asks(
    pair: tuple[ChannelNode, ChannelNode], follower: Follower, hub: MemoryHub, app: Backend
) -> None:
    donor, target = pair
    (before,) = donor.clients.registry.of_user("carol")
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.connections == 1)
    await eventually(lambda: bool(target.clients.registry.of_user("carol")[0].channels))
    (after,) = target.clients.registry.of_user("carol")
    assert after.credentials == before.credentials
    assert after.rights == before.rights
    assert after.rights["kept:a"].info == b'{"s":1}'  # type: ignore[index]
    assert (app.count("connect"), app.count("channel"), app.count("refresh")) == (1, 1, 0)
    await eventually(lambda: after.credentials.info == b'{"v":2}')
    assert hook_of(target).stats.requests["refresh", HookOutcome.OK] == 1
    assert hook_of(donor).stats.requests["refresh", HookOutcome.OK] == 0
    assert app.count("connect") == 1


async def test_a_move_gives_no_time_beyond_the_end(
    start_node: StartNode, app: Backend, hub: MemoryHub, backend: HookServer
) -> None:
    nodes = [await start_node(name, **given(app, refresh_grace_s=3.0)) for name in ("n1", "n2")]
    app.lasts_s = 1
    app.refreshed = lambda: {"error": {"code": 100, "temporary": True}}
    follower = await Follower.open(*nodes)
    await eventually(lambda: app.count("refresh") > 0)  # its end has come
    await ask(hub, order(1))
    await follower.follow()
    assert (await follower.peer.closed())[0] == 3005
    assert nodes[1].clients.registry.count_of_user("carol") == 0
    follower.peer.abort()


async def test_a_move_during_a_request_is_asked_about_anew(
    pair: tuple[ChannelNode, ChannelNode], app: Backend, hub: MemoryHub
) -> None:
    _, target = pair
    app.lasts_s = 1
    follower = await Follower.open(*pair)
    app.server.hang()
    await eventually(lambda: app.server.under_way >= 1)
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.connections == 1)
    app.server.go_on()
    (connection,) = target.clients.registry.of_user("carol")
    await eventually(lambda: connection.credentials.info == b'{"v":2}')
    assert hook_of(target).stats.requests["refresh", HookOutcome.OK] == 1
    follower.peer.abort()
