"""The hooks of channels: who subscribes, who publishes, and what."""

import asyncio
from typing import Any

import pytest

from integration.hooks.conftest import Dial, StartNode
from integration.hooks.kit import RULES, in_s, outcomes, settings
from integration.node.kit import Peer, eventually
from ringway.node.server import ChannelNode
from support.hook_server import HookServer

SPACES = (
    *RULES,
    "asked:history_size=0,subscribe_hook=app,publish_hook=app,allow_user_limited_channels=true,channel_regex=^[a-z#:]*$",
    "stored:history_size=10,subscribe_hook=app,publish_hook=app,allow_history_for_subscriber=true",
)


class Backend:
    """Names each client by its data, and answers the rest by `decide`."""

    def __init__(self, server: HookServer) -> None:
        self.server = server
        self.decide: Any = {}
        server.answer = self._answer

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests, without those of connects."""
        return [request for request in self.server.requests if "channel" in request]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "channel" not in request:
            return {"result": {"user": request.get("data", ""), "meta": {"plan": "x"}}}
        decided: dict[str, Any] = self.decide(request) if callable(self.decide) else self.decide
        return decided


@pytest.fixture
def app(backend: HookServer) -> Backend:
    return Backend(backend)


@pytest.fixture
async def node(start_node: StartNode, app: Backend) -> ChannelNode:
    return await start_node(
        **settings(app.server, "include_connection_meta=true", connect_hook="app", namespaces=SPACES)
    )


async def connected(dial: Dial, node: ChannelNode, user: str = "carol") -> tuple[Peer, str]:
    """Return a client of `user`, and its id."""
    peer = await dial(node)
    return peer, (await peer.ask(connect={"data": user}))["connect"]["client"]


async def test_the_hook_is_asked_who_subscribes_and_what_it_gives_is_the_subscriptions(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    app.decide = {"result": {"info": {"role": "mod"}, "data": [1], "expire_at": in_s(3600), "allow": ["x"]}}
    peer, client = await connected(dial, node)
    result = (await peer.ask(subscribe={"channel": "asked:a", "data": {"pass": 7}}))["subscribe"]
    assert app.asked == [
        {
            "client": client, "transport": "websocket", "protocol": "json", "encoding": "json", "user": "carol",
            "channel": "asked:a", "meta": {"plan": "x"}, "data": {"pass": 7},
        }
    ]  # fmt: skip
    assert (result["data"], result["expires"]) == ([1], True)
    assert app.server.headers[-1]["ringway-event"] == "subscribe"
    assert 3000 < result["ttl"] <= 3600
    app.decide = {}
    await peer.publish("asked:a", 1)
    assert (await peer.push())["pub"]["info"] == {"user": "carol", "client": client, "chan_info": {"role": "mod"}}


@pytest.mark.parametrize(
    ("answer", "code"),
    [({"error": {"code": 403, "message": "no"}}, 403), ({"result": {"expire_at": 1}}, 110), ({"result": 7}, 100)],
    ids=["refused", "ended", "unreadable"],
)
async def test_who_is_refused_is_not_subscribed_and_may_try_again(
    node: ChannelNode, dial: Dial, app: Backend, answer: dict[str, Any], code: int
) -> None:
    app.decide = answer
    peer, _ = await connected(dial, node)
    assert (await peer.ask(subscribe={"channel": "asked:a"}))["error"]["code"] == code
    assert (await peer.ask(presence={"channel": "asked:a"}))["error"]["code"] == 103
    app.decide = {}
    await peer.subscribe("asked:a")
    assert (await peer.ask(subscribe={"channel": "asked:a"}))["error"]["code"] == 105
    assert len(app.asked) == 2  # a client that is subscribed already is not asked about


@pytest.mark.parametrize("command", ["subscribe", "publish"])
async def test_a_disconnect_closes_the_client(node: ChannelNode, dial: Dial, app: Backend, command: str) -> None:
    app.decide = {"disconnect": {"code": 4000, "reason": "go"}}
    peer, _ = await connected(dial, node)
    peer.send({"id": 9, command: {"channel": "asked:a", "data": 1}})
    assert await peer.closed() == (4000, "go")


@pytest.mark.parametrize(
    ("channel", "answer"),
    [("$asked:a", 103), ("asked:#dave", 103), ("asked:#carol", None), ("asked:A", 107), ("nowhere:a", 102)],
)
async def test_a_name_that_decides_itself_is_not_asked_about(
    node: ChannelNode, dial: Dial, app: Backend, channel: str, answer: int | None
) -> None:
    peer, _ = await connected(dial, node)
    reply = await peer.ask(subscribe={"channel": channel})
    assert reply.get("error", {}).get("code") == answer
    assert app.asked == []


async def test_the_hook_is_asked_on_an_open_node_as_well(start_node: StartNode, dial: Dial, app: Backend) -> None:
    node = await start_node(**settings(app.server, namespaces=SPACES) | {"insecure": True})
    app.decide = {"error": {"code": 403}}
    peer = await dial(node, connect=True)
    assert (await peer.ask(subscribe={"channel": "asked:a"}))["error"]["code"] == 403
    assert (await peer.ask(publish={"channel": "asked:a", "data": 1}))["error"]["code"] == 403


async def test_many_subscribes_in_one_frame_are_each_decided(node: ChannelNode, dial: Dial, app: Backend) -> None:
    app.decide = lambda request: {"error": {"code": 403}} if request["channel"].endswith("o") else {}
    peer, _ = await connected(dial, node)
    names = ["asked:a", "asked:o", "stored:a", "room", "stored:o", "asked:b"]
    peer.send(*({"id": 10 + at, "subscribe": {"channel": name}} for at, name in enumerate(names)))
    replies = [await peer.reply(10 + at) for at in range(len(names))]
    assert ["error" in reply for reply in replies] == [False, True, False, False, True, False]
    (connection,) = node.clients.registry.of_user("carol")
    assert set(connection.channels) == {"asked:a", "stored:a", "room", "asked:b"}
    assert len(app.asked) == 5


async def test_what_the_hook_returns_is_what_is_published_and_stored(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    peer, client = await connected(dial, node)
    await peer.subscribe("stored:a")
    app.decide = {"result": {"data": {"clean": True}, "tags": {"by": "hook"}}}
    await peer.publish("stored:a", {"raw": "rude"})
    assert app.asked[-1] == {
        "client": client, "transport": "websocket", "protocol": "json", "encoding": "json", "user": "carol",
        "channel": "stored:a", "data": {"raw": "rude"}, "meta": {"plan": "x"},
    }  # fmt: skip
    pub = (await peer.push())["pub"]
    assert (pub["data"], pub["tags"], pub["offset"]) == ({"clean": True}, {"by": "hook"}, 1)
    app.decide = {"result": {"skip_history": True}}
    await peer.publish("stored:a", 2)
    pub = (await peer.push())["pub"]
    assert (pub["data"], pub.get("offset")) == (2, None)
    history = (await peer.ask(history={"channel": "stored:a", "limit": 10}))["history"]
    assert [each["data"] for each in history["publications"]] == [{"clean": True}]


async def test_a_key_of_the_hook_makes_publications_one(node: ChannelNode, dial: Dial, app: Backend) -> None:
    app.decide = {"result": {"idempotency_key": "order-7"}}
    peer, _ = await connected(dial, node)
    await peer.publish("stored:a", 1)
    await peer.publish("stored:a", 2)
    app.decide = {}
    await peer.subscribe("stored:a")
    history = (await peer.ask(history={"channel": "stored:a", "limit": 10}))["history"]
    assert [each["data"] for each in history["publications"]] == [1]


async def test_a_refused_publication_reaches_nobody(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer, _ = await connected(dial, node)
    await peer.subscribe("stored:a")
    for answer, code in (
        ({"error": {"code": 403}}, 403),
        ({"result": {"version": 1}}, 100),
        ({"result": {"data": "x" * 2_000_000}}, 100),
    ):
        app.decide = answer
        assert (await peer.ask(publish={"channel": "stored:a", "data": 1}))["error"]["code"] == code
    app.decide = {}
    await peer.publish("stored:a", "good")
    assert (await peer.push())["pub"]["data"] == "good"


async def test_publications_keep_the_order_of_their_commands(node: ChannelNode, dial: Dial, app: Backend) -> None:
    peer, _ = await connected(dial, node)
    reader, _ = await connected(dial, node, "dave")
    await reader.subscribe("asked:a")
    peer.send(
        *({"id": 100 + at, "publish": {"channel": "asked:a" if at % 3 else "room", "data": at}} for at in range(30))
    )
    for at in range(30):
        assert "publish" in await peer.reply(100 + at)
    assert [(await reader.push())["pub"]["data"] for _ in range(20)] == [at for at in range(30) if at % 3]


async def test_a_client_that_publishes_and_leaves_has_published(node: ChannelNode, dial: Dial, app: Backend) -> None:
    reader, _ = await connected(dial, node, "dave")
    await reader.subscribe("asked:a")
    peer, _ = await connected(dial, node)
    app.server.hang()
    peer.send(*({"id": 100 + at, "publish": {"channel": "asked:a", "data": at}} for at in range(3)))
    await eventually(lambda: app.server.under_way == 1)
    peer.abort()
    await eventually(lambda: len(node.clients.registry) == 1)
    app.server.go_on()
    assert [(await reader.push())["pub"]["data"] for _ in range(3)] == [0, 1, 2]


async def test_a_client_that_goes_while_the_hook_is_asked_is_not_subscribed(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    peer, _ = await connected(dial, node)
    app.server.hang()
    peer.send({"id": 2, "subscribe": {"channel": "asked:a"}})
    await eventually(lambda: app.server.under_way == 1)
    peer.abort()
    await eventually(lambda: len(node.clients.registry) == 0)
    app.server.go_on()
    await eventually(lambda: len(node.clients.queues) == 0)
    assert len(node.hub) == 0
    assert outcomes(node)["ok"] == 2


async def test_commands_behind_a_subscribe_wait_and_others_clients_do_not(
    node: ChannelNode, dial: Dial, app: Backend
) -> None:
    peer, _ = await connected(dial, node)
    other, _ = await connected(dial, node, "dave")
    app.server.hang()
    peer.send({"id": 2, "subscribe": {"channel": "asked:a"}})
    peer.send({"id": 3, "publish": {"channel": "room", "data": 1}})
    await eventually(lambda: app.server.under_way == 1)
    await other.subscribe("room")
    await other.publish("room", 0)
    assert (await other.push())["pub"]["data"] == 0
    await asyncio.sleep(0)
    app.server.go_on()
    assert "subscribe" in await peer.reply(2)
    assert "publish" in await peer.reply(3)
    assert (await other.push())["pub"]["data"] == 1
