"""Rights of clients at a node that checks them: nothing is allowed but what its settings allow."""

import asyncio
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.follower import Follower
from integration.node.kit import ask, eventually, order
from ringway.engine.memory.engine import MemoryHub
from ringway.protocol.order import NodeConsent

OPEN_CHAT = (
    "chat:history_size=9,join_leave=true,channel_regex=^[a-z]+$,"
    "allow_subscribe_for_client=true,allow_subscribe_for_anonymous=true,"
    "allow_publish_for_subscriber=true,allow_publish_for_anonymous=true,"
    "allow_presence_for_subscriber=true,allow_presence_for_anonymous=true,"
    "allow_history_for_client=true,allow_history_for_anonymous=true"
)
USERS_ONLY = (
    "users:history_size=9,allow_subscribe_for_client=true,allow_publish_for_client=true,"
    "allow_presence_for_client=true,allow_history_for_client=true"
)
ANONYMOUS = {"insecure": False, "allow_anonymous_connect_without_token": True}


@pytest.mark.parametrize(("request_", "code"), [({}, 3501), ({"token": "abc"}, 3500)], ids=["no token", "a token"])
async def test_a_client_is_refused_unless_anonymous_clients_are_accepted(
    start_node: StartNode, dial: Dial, request_: dict[str, Any], code: int
) -> None:
    peer = await dial(await start_node(insecure=False))
    peer.send({"id": 1, "connect": request_})
    found, why = await peer.closed()
    assert found == code
    assert "token" in why


async def test_an_open_node_does_not_look_at_tokens(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node())
    assert "client" in (await peer.ask(connect={"token": "abc"}))["connect"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"subscribe": {"channel": "room"}}, 103),
        ({"subscribe": {"channel": "none:room"}}, 102),
        ({"subscribe": {"channel": "users:room"}}, 103),
        ({"subscribe": {"channel": "chat:Room"}}, 107),
        ({"subscribe": {"channel": "$chat:room"}}, 103),
        ({"publish": {"channel": "chat:room", "data": 1}}, 103),
        ({"publish": {"channel": "users:room", "data": 1}}, 103),
        ({"publish": {"channel": "none:room", "data": 1}}, 102),
        ({"presence": {"channel": "chat:room"}}, 103),
        ({"presence_stats": {"channel": "users:room"}}, 103),
        ({"history": {"channel": "users:room"}}, 103),
        ({"history": {"channel": "chat:r2"}}, 107),
        ({"presence_stats": {"channel": "none:room"}}, 102),
    ],
)
async def test_an_anonymous_client_may_only_what_options_allow_it(
    start_node: StartNode, dial: Dial, request_: dict[str, Any], code: int
) -> None:
    node = await start_node(namespaces=(OPEN_CHAT, USERS_ONLY), **ANONYMOUS)
    peer = await dial(node, connect=True)
    assert (await peer.ask(**request_))["error"]["code"] == code
    assert not len(node.hub)


async def test_a_subscriber_may_what_is_allowed_to_subscribers(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(namespaces=(OPEN_CHAT,), **ANONYMOUS), connect=True)
    assert "history" in await peer.ask(history={"channel": "chat:room"})
    assert "subscribe" in await peer.ask(subscribe={"channel": "chat:room", "join_leave": True})
    assert "join" in await peer.push()
    await peer.publish("chat:room", 1)
    assert len((await peer.ask(presence={"channel": "chat:room"}))["presence"]["presence"]) == 1


async def test_joins_and_leaves_are_for_those_who_may_ask_for_presence(start_node: StartNode, dial: Dial) -> None:
    namespace = OPEN_CHAT.replace("allow_presence_for_subscriber=true,", "")
    peer = await dial(await start_node(namespaces=(namespace,), **ANONYMOUS), connect=True)
    assert "subscribe" in await peer.ask(subscribe={"channel": "chat:room", "join_leave": True})
    await peer.publish("chat:room", "the first push")
    assert (await peer.push())["pub"]["data"] == "the first push"


async def test_forced_joins_and_leaves_need_no_right(start_node: StartNode, dial: Dial) -> None:
    namespace = OPEN_CHAT.replace("allow_presence_for_subscriber=true,", "force_push_join_leave=true,")
    peer = await dial(await start_node(namespaces=(namespace,), **ANONYMOUS), connect=True)
    assert "subscribe" in await peer.ask(subscribe={"channel": "chat:room"})
    assert "join" in await peer.push()
    assert (await peer.ask(presence={"channel": "chat:room"}))["error"]["code"] == 103


async def test_many_refused_subscribes_in_one_frame_ask_the_engine_for_nothing(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(namespaces=(OPEN_CHAT,), **ANONYMOUS)
    peer = await dial(node, connect=True)
    peer.send(
        *({"id": 10 + n, "subscribe": {"channel": f"{'chat' if n == 3 else 'none'}:c{chr(97 + n)}"}} for n in range(9))
    )
    replies = [await peer.reply(10 + n) for n in range(9)]
    assert [reply.get("error", {}).get("code") for reply in replies] == [102] * 3 + [None] + [102] * 5
    assert len(node.clients.channels.streams.interest) == 1


@pytest.mark.parametrize(
    ("settings", "channel"),
    [
        ({"insecure": False, "namespaces": (OPEN_CHAT,)}, "chat:room"),
        ({**ANONYMOUS, "namespaces": (OPEN_CHAT,)}, "none:room"),
        ({**ANONYMOUS, "namespaces": (USERS_ONLY,)}, "users:room"),
    ],
    ids=["no anonymous clients", "no such namespace", "not allowed there"],
)
async def test_a_session_is_not_taken_by_a_node_that_would_refuse_its_client(
    start_node: StartNode, hub: MemoryHub, settings: dict[str, Any], channel: str
) -> None:
    """PROTOCOL.md P-11.4.3: the client stays where it is, unharmed."""
    donor, target = await start_node("n1"), await start_node("n2", **settings)
    follower = await Follower.open(donor, target, channels=(channel,))
    assert await ask(hub, order(1)) == NodeConsent()
    await eventually(lambda: donor.stats.handovers_failed == 1)
    assert (donor.connections, target.connections) == (1, 0)
    assert "publish" in await follower.reply(follower.send(publish={"channel": channel, "data": 1}))
    follower.peer.abort()


async def test_a_session_is_taken_where_its_client_has_the_same_rights(start_node: StartNode, hub: MemoryHub) -> None:
    settings: dict[str, Any] = {"namespaces": (OPEN_CHAT,), **ANONYMOUS}
    donor, target = await start_node("n1", **settings), await start_node("n2", **settings)
    follower = await Follower.open(donor, target, channels=("chat:room",))
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.connections == 1)
    number = follower.send(publish={"channel": "none:room", "data": 1})
    assert (await follower.reply(number))["error"]["code"] == 102
    async with asyncio.timeout(30):
        assert "publish" in await follower.reply(follower.send(publish={"channel": "chat:room", "data": 1}))
    follower.peer.abort()
