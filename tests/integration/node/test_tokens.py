"""Tokens at a node: who a client is, what it is subscribed to, and when that ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.follower import FOLLOWS, Follower
from integration.node.kit import PATIENCE_S, Peer, ask, eventually, order
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.engine.memory.engine import MemoryHub
from ringway.node.server import ChannelNode
from support.tokens import SECRET, make_token

NAMESPACES = (
    "chat:history_size=100,join_leave=true,allow_subscribe_for_client=true,allow_publish_for_subscriber=true,"
    "allow_presence_for_subscriber=true",
    "plain:history_size=0,allow_subscribe_for_client=true,allow_publish_for_client=true",
    "own:history_size=0,allow_user_limited_channels=true",
)
SOON_S = 2.0

Follow = Callable[..., Awaitable[Follower]]


def secure(**settings: Any) -> dict[str, Any]:
    """The settings of a node that checks tokens."""
    token = TokenConfig(hmac_secret_key=SECRET.decode())
    verifier = make_verifier(token, SubscriptionTokenConfig(), Random(1))
    return {"insecure": False, "namespaces": NAMESPACES, "verifier": verifier, **settings}


def token_of(user: str = "carol", **claims: Any) -> str:
    return make_token({"sub": user, **claims})


def soon() -> float:
    return time.time() + SOON_S


@pytest.fixture
async def node(start_node: StartNode) -> ChannelNode:
    return await start_node(**secure())


async def come(dial: Dial, node: ChannelNode, user: str = "carol", **claims: Any) -> Peer:
    """Return the connection of `user`."""
    peer = await dial(node)
    assert "connect" in await peer.ask(connect={"token": token_of(user, **claims)})
    return peer


async def test_others_see_the_user_and_its_info(node: ChannelNode, dial: Dial) -> None:
    dave = await come(dial, node, "dave")
    await dave.ask(subscribe={"channel": "chat:room", "join_leave": True})
    assert (await dave.push())["join"]["info"]["user"] == "dave"
    carol = await come(dial, node, "carol", info={"name": "Carol"})
    channel = {"channel": "chat:room", "token": token_of(channel="chat:room", info=[1])}
    assert "subscribe" in await carol.ask(subscribe=channel)
    await carol.publish("chat:room", "hello")
    joined, published = await dave.push(), await dave.push()
    for info in (joined["join"]["info"], published["pub"]["info"]):
        assert (info["user"], info["conn_info"], info["chan_info"]) == ("carol", {"name": "Carol"}, [1])
    present = (await dave.ask(presence={"channel": "chat:room"}))["presence"]["presence"]
    assert sorted(info["user"] for info in present.values()) == ["carol", "dave"]
    assert len(node.clients.registry.of_user("carol")) == 1


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (make_token({"sub": "carol"}, secret=b"another secret, as long as the one of tests"), 3500),
        ("not a token", 3500),
        (make_token({"sub": "carol", "channel": "chat:room"}), 3500),
    ],
    ids=["forged", "no token", "of a subscription"],
)
async def test_a_token_that_is_not_good_ends_the_connection(
    node: ChannelNode, dial: Dial, token: str, code: int
) -> None:
    peer = await dial(node)
    peer.send({"id": 1, "connect": {"token": token}})
    assert await peer.closed() == (code, "invalid token")


async def test_a_token_whose_time_is_over_is_told_and_a_new_one_is_taken(node: ChannelNode, dial: Dial) -> None:
    peer = await dial(node)
    assert (await peer.ask(connect={"token": token_of(exp=time.time() - 1)}))["error"]["code"] == 109
    result = (await peer.ask(connect={"token": token_of(exp=time.time() + 100)}))["connect"]
    assert result["expires"] is True
    assert 0 < result["ttl"] <= 100


async def test_a_token_without_a_user_is_anonymous_unless_that_is_refused(start_node: StartNode, dial: Dial) -> None:
    peer = await come(dial, await start_node("n1", **secure()), "")
    assert (await peer.ask(subscribe={"channel": "chat:room"}))["error"]["code"] == 103
    strict = await dial(await start_node("n2", **secure(disallow_anonymous_connection_tokens=True)))
    strict.send({"id": 1, "connect": {"token": token_of("")}})
    assert (await strict.closed())[0] == 3507


async def test_the_server_subscribes_to_the_channels_of_the_token(node: ChannelNode, dial: Dial) -> None:
    dave = await come(dial, node, "dave")
    peer = await dial(node)
    token = token_of(channels=["plain:a"], subs={"$chat:b": {"info": {"seat": 7}}})
    result = (await peer.ask(connect={"token": token}))["connect"]
    assert set(result["subs"]) == {"plain:a", "$chat:b"}
    assert result["subs"]["$chat:b"]["recoverable"] is True
    await dave.publish("plain:a", 1)
    assert (await peer.push())["pub"]["data"] == 1
    assert "publish" in await peer.ask(publish={"channel": "$chat:b", "data": 2})
    info = (await peer.push())["pub"]["info"]
    assert (info["user"], info["chan_info"]) == ("carol", {"seat": 7})
    assert (await peer.ask(subscribe={"channel": "plain:a"}))["error"]["code"] == 105


async def test_missed_publications_of_such_channels_come_with_the_connect(node: ChannelNode, dial: Dial) -> None:
    token = token_of(channels=["chat:a", "chat:b", "chat:c"])
    writer = await come(dial, node, "dave", channels=["chat:a", "chat:b", "chat:c"])
    first = await dial(node)
    subs = (await first.ask(connect={"token": token}))["connect"]["subs"]
    first.abort()
    for number in range(3):
        await writer.publish("chat:a", number)
    await writer.publish("chat:b", "b")
    at = {name: {"recover": True, "epoch": sub["epoch"], "offset": sub.get("offset", 0)} for name, sub in subs.items()}
    again = await dial(node)
    found = (await again.ask(connect={"token": token, "subs": at}))["connect"]["subs"]
    assert {name: [pub["data"] for pub in sub.get("publications", [])] for name, sub in found.items()} == {
        "chat:a": [0, 1, 2],
        "chat:b": ["b"],
        "chat:c": [],
    }
    assert all(sub["recovered"] for sub in found.values())


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"channels": ["none:a"]}, 102), ({"channels": [f"plain:{n}" for n in range(129)]}, 106)],
    ids=["unknown", "too many"],
)
async def test_a_token_with_channels_that_cannot_be_is_refused(
    node: ChannelNode, dial: Dial, claims: dict[str, Any], code: int
) -> None:
    peer = await dial(node)
    assert (await peer.ask(connect={"token": token_of(**claims)}))["error"]["code"] == code


async def test_a_subscription_token_opens_a_private_channel(node: ChannelNode, dial: Dial) -> None:
    peer = await come(dial, node)
    assert (await peer.ask(subscribe={"channel": "$chat:x"}))["error"]["code"] == 103
    token = token_of(channel="$chat:x", exp=time.time() + 100)
    result = (await peer.ask(subscribe={"channel": "$chat:x", "token": token}))["subscribe"]
    assert (result["expires"], 0 < result["ttl"] <= 100) == (True, True)
    await peer.ask(unsubscribe={"channel": "$chat:x"})
    assert (await peer.ask(subscribe={"channel": "$chat:x"}))["error"]["code"] == 103


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"exp": 1.0}, 109), ({"secret": b"another secret, as long as the one of tests"}, 103)],
    ids=["over", "forged"],
)
async def test_a_subscription_token_that_is_not_good_is_refused_alone(
    node: ChannelNode, dial: Dial, claims: dict[str, Any], code: int
) -> None:
    peer = await come(dial, node)
    secret = claims.pop("secret", SECRET)
    token = make_token({"sub": "carol", "channel": "$chat:x", **claims}, secret=secret)
    assert (await peer.ask(subscribe={"channel": "$chat:x", "token": token}))["error"]["code"] == code
    assert "subscribe" in await peer.ask(subscribe={"channel": "chat:x"})


@pytest.mark.parametrize(
    "claims", [{"channel": "$chat:y"}, {"sub": "dave"}, {"client": "c"}], ids=["channel", "user", "client"]
)
async def test_the_subscription_token_of_somebody_else_ends_the_connection(
    node: ChannelNode, dial: Dial, claims: dict[str, Any]
) -> None:
    peer = await come(dial, node)
    token = make_token({"sub": "carol", "channel": "$chat:x", **claims})
    peer.send({"id": 9, "subscribe": {"channel": "$chat:x", "token": token}})
    assert (await peer.closed())[0] == 3500


async def test_subscribes_with_tokens_in_one_frame_are_carried_out_together(node: ChannelNode, dial: Dial) -> None:
    peer = await come(dial, node)
    names = [f"$chat:{n}" for n in range(20)]
    peer.send(
        *(
            {"id": 100 + n, "subscribe": {"channel": name, "token": token_of(channel=name)}}
            for n, name in enumerate(names)
        )
    )
    replies = [await peer.reply(100 + n) for n in range(20)]
    assert all("subscribe" in reply for reply in replies)


async def test_a_connection_ends_with_its_token_unless_it_is_refreshed(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(expired_close_delay_s=0.0))
    left, refreshed_ = await come(dial, node, exp=soon()), await come(dial, node, "dave", exp=soon())
    answer = (await refreshed_.ask(refresh={"token": token_of("dave", exp=time.time() + 100)}))["refresh"]
    assert (answer["expires"], 0 < answer["ttl"] <= 100) == (True, True)
    assert await left.closed() == (3005, "connection expired")
    assert "ping" in await refreshed_.ask(ping={})


async def test_a_refresh_is_by_a_good_token_of_the_same_user(node: ChannelNode, dial: Dial) -> None:
    peer = await come(dial, node)
    assert (await peer.ask(refresh={"token": token_of(exp=1.0)}))["error"]["code"] == 110
    peer.send({"id": 9, "refresh": {"token": token_of("dave")}})
    assert (await peer.closed())[0] == 3500


async def test_a_subscription_ends_with_its_token_and_the_connection_goes_on(start_node: StartNode, dial: Dial) -> None:
    peer = await come(dial, await start_node(**secure(expired_sub_close_delay_s=0.0)))
    for name, goes_on in (("$chat:a", False), ("$chat:b", True)):
        await peer.ask(subscribe={"channel": name, "token": token_of(channel=name, exp=soon())})
        if goes_on:
            token = token_of(channel=name, exp=time.time() + 100)
            assert (await peer.ask(sub_refresh={"channel": name, "token": token}))["sub_refresh"]["expires"] is True
    push = await peer.push()
    assert (push["channel"], push["unsubscribe"]["code"]) == ("$chat:a", 2501)
    assert "publish" in await peer.ask(publish={"channel": "$chat:b", "data": 1})
    assert (await peer.ask(publish={"channel": "$chat:a", "data": 1}))["error"]["code"] == 103
    assert (await peer.ask(sub_refresh={"channel": "$chat:a", "token": token_of(channel="$chat:a")}))["error"][
        "code"
    ] == 103


async def test_a_user_has_a_personal_channel_and_perhaps_one_connection(start_node: StartNode, dial: Dial) -> None:
    settings = {"subscribe_to_user_personal_channel": True, "personal_channel_namespace": "own"}
    node = await start_node(**secure(**settings, personal_channel_single_connection=True))
    first = await dial(node)
    result = (await first.ask(connect={"token": token_of()}))["connect"]
    assert set(result["subs"]) == {"own:#carol"}
    other = await come(dial, node, "dave")
    second = await come(dial, node)
    assert (await first.closed())[0] == 3503
    assert "ping" in await second.ask(ping={})
    assert "ping" in await other.ask(ping={})


async def test_a_token_overrides_what_concerns_its_bearer_alone(
    start_node: StartNode, dial: Dial, follow: Follow
) -> None:
    shy = "shy:history_size=100,join_leave=true,allow_subscribe_for_client=true"  # nobody may ask for presence
    one, two = [await start_node(f"n{number}", **secure(namespaces=(shy,), move_cool_down_s=0.0)) for number in (1, 2)]
    told = await follow(one, two)
    pushed = token_of(channel="shy:room", override={"force_push_join_leave": {"value": True}})
    number = told.send(subscribe={"channel": "shy:room", "token": pushed})
    assert (await told.reply(number))["subscribe"]["recoverable"] is True
    for connection in one.clients.registry.of_user("carol"):
        await one.clients.donors.send_off(connection, two.name)
    await told.follow()
    dave = await come(dial, two, "dave")
    off = {"force_recovery": {"value": False}, "force_positioning": {"value": False}}
    result = await dave.ask(
        subscribe={"channel": "shy:room", "token": token_of("dave", channel="shy:room", override=off)}
    )
    assert not {"recoverable", "positioned"} & result["subscribe"].keys()
    async with asyncio.timeout(PATIENCE_S):
        while not any(line.get("push", {}).get("join", {}).get("info", {}).get("user") == "dave" for line in told.got):
            await told.read()


async def test_who_is_not_told_unasked_is_not_told_also_where_the_namespace_tells_all(
    start_node: StartNode, dial: Dial
) -> None:
    loud = "loud:history_size=0,join_leave=true,force_push_join_leave=true,allow_subscribe_for_client=true"
    node = await start_node(**secure(namespaces=(loud,)))
    carol, dave = await come(dial, node), await come(dial, node, "dave")
    quiet = token_of(channel="loud:a", override={"force_push_join_leave": {"value": False}})
    await carol.ask(subscribe={"channel": "loud:a", "token": quiet})
    await dave.ask(subscribe={"channel": "loud:a"})
    await come(dial, node, "eve", subs={"loud:a": {"override": {"force_push_join_leave": {"value": False}}}})
    while (await dave.push())["join"]["info"]["user"] != "eve":
        pass
    assert "unsubscribe" in await carol.ask(unsubscribe={"channel": "loud:a"})
    assert carol.pushes == []


SINGLE = {
    "subscribe_to_user_personal_channel": True,
    "personal_channel_namespace": "own",
    "personal_channel_single_connection": True,
    "move_cool_down_s": 0.0,
}


async def test_a_user_has_one_connection_at_all_nodes_and_a_move_is_no_new_one(
    start_node: StartNode, dial: Dial, follow: Follow
) -> None:
    one, two, three = [await start_node(f"n{number}", **secure(**SINGLE)) for number in (1, 2, 3)]
    follower = await follow(one, two, three)
    other = await come(dial, three, "dave")
    for connection in one.clients.registry.of_user("carol"):
        await one.clients.donors.send_off(connection, two.name)
    await follower.follow()
    await eventually(lambda: two.stats.resumed == 1)
    assert await count_of(one, two, three) == [0, 1, 0]
    newest = await come(dial, three)
    assert (await follower.peer.closed())[0] == 3503
    assert "unsubscribe" in await newest.ask(unsubscribe={"channel": "plain:a"})
    assert "unsubscribe" in await other.ask(unsubscribe={"channel": "plain:a"})
    assert await count_of(one, two, three) == [0, 0, 1]


async def test_a_session_on_its_way_is_closed_where_it_arrives_if_its_user_has_connected_anew(
    start_node: StartNode, dial: Dial, follow: Follow
) -> None:
    one, two, three = [await start_node(f"n{number}", **secure(**SINGLE)) for number in (1, 2, 3)]
    follower = await follow(one, two)
    for connection in one.clients.registry.of_user("carol"):
        await one.clients.donors.send_off(connection, two.name)
    await follower.told_to_move()
    await come(dial, three)
    await asyncio.sleep(0.5)  # the nodes know it
    follower.answer()
    await follower.go_on()
    assert (await follower.peer.closed())[0] == 3503
    assert await count_of(one, two, three) == [0, 0, 1]


async def test_of_connections_that_come_together_one_stays(start_node: StartNode, dial: Dial) -> None:
    nodes = [await start_node(f"n{number}", **secure(**SINGLE)) for number in (1, 2, 3)]
    for _ in range(5):
        peers = [await dial(node) for node in nodes for _ in range(2)]
        for peer in peers:
            peer.send({"id": 1, "connect": {"token": token_of()}})
        ends = [asyncio.ensure_future(peer.closed()) for peer in peers]
        await eventually(lambda ends=ends: sum(end.done() for end in ends) == len(ends) - 1)
        assert {end.result()[0] for end in ends if end.done()} == {3503}
        assert sorted(await count_of(*nodes)) == [0, 0, 1]
        for peer, end in zip(peers, ends, strict=True):
            end.cancel()
            peer.abort()
        await eventually(lambda: sum(node.clients.registry.count_of_user("carol") for node in nodes) == 0)


async def count_of(*nodes: ChannelNode) -> list[int]:
    return [node.clients.registry.count_of_user("carol") for node in nodes]


async def test_a_user_has_no_more_connections_than_it_may_have(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(user_connections_max=2))
    peers = [await come(dial, node) for _ in range(2)]
    third = await dial(node)
    third.send({"id": 1, "connect": {"token": token_of()}})
    assert (await third.closed())[0] == 3504
    await come(dial, node, "dave")
    peers[0].abort()
    await eventually(lambda: node.clients.registry.count_of_user("carol") == 1)
    await come(dial, node)


@pytest.fixture
async def follow() -> AsyncIterator[Follow]:
    """Open a session of carol that follows moves; `follow(node, others..., **claims)`."""
    followers: list[Follower] = []

    async def open_follower(node: ChannelNode, *others: ChannelNode, **claims: Any) -> Follower:
        nodes = {each.name: each for each in (node, *others)}
        follower = Follower(await Peer.open(node.port, path=FOLLOWS), nodes)
        followers.append(follower)
        assert "connect" in await follower.reply(follower.send(connect={"token": token_of(**claims)}))
        return follower

    yield open_follower
    for follower in followers:
        follower.peer.abort()


@pytest.fixture
async def pair(start_node: StartNode, request: pytest.FixtureRequest) -> tuple[ChannelNode, ChannelNode]:
    settings = secure(move_cool_down_s=0.0, presence_keep_s=0.0, **getattr(request, "param", {}))
    return await start_node("n1", **settings), await start_node("n2", **settings)


async def test_a_user_is_the_same_with_the_same_rights_after_a_move(
    pair: tuple[ChannelNode, ChannelNode], dial: Dial, follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target, info={"name": "Carol"}, channels=["plain:mine"], exp=time.time() + 100)
    token = token_of(channel="$chat:x", info={"seat": 7})
    await follower.reply(follower.send(subscribe={"channel": "$chat:x", "token": token}))
    (before,) = donor.clients.registry.of_user("carol")
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.stats.resumed == 1)
    (after,) = target.clients.registry.of_user("carol")
    assert (after.credentials, after.rights) == (before.credentials, before.rights)
    assert donor.clients.registry.of_user("carol") == []
    assert "publish" in await follower.reply(follower.send(publish={"channel": "$chat:x", "data": 1}))
    assert (await follower.reply(follower.send(publish={"channel": "chat:x", "data": 1})))["error"]["code"] == 103
    (push,) = [line["push"]["pub"] for line in follower.got if "pub" in line.get("push", {})]
    info = push["info"]
    assert (info["user"], info["conn_info"], info["chan_info"]) == ("carol", {"name": "Carol"}, {"seat": 7})


@pytest.mark.parametrize("pair", [{"expired_close_delay_s": 0.0}], indirect=True, ids=["no delay"])
async def test_a_connection_that_was_moved_ends_with_its_token(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target, exp=soon())
    await ask(hub, order(1))
    await follower.follow()
    await eventually(lambda: target.stats.resumed == 1)
    assert (await follower.peer.closed())[0] == 3005


@pytest.mark.parametrize("pair", [{"expired_close_delay_s": 0.0}], indirect=True, ids=["no delay"])
async def test_a_session_whose_token_ends_on_its_way_ends_where_it_arrives(
    pair: tuple[ChannelNode, ChannelNode], follow: Follow, hub: MemoryHub
) -> None:
    donor, target = pair
    follower = await follow(donor, target, exp=soon())
    await ask(hub, order(1))
    await follower.told_to_move()
    await asyncio.sleep(SOON_S)
    follower.answer()
    await follower.go_on()
    async with asyncio.timeout(PATIENCE_S):
        assert (await follower.peer.closed())[0] == 3005
    assert target.clients.registry.of_user("carol") == []


async def test_an_open_node_with_a_key_knows_users_and_ends_none(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(insecure=True, expired_close_delay_s=0.0))
    peer = await dial(node)
    assert "expires" not in (await peer.ask(connect={"token": token_of(exp=soon())}))["connect"]
    assert len(node.clients.registry.of_user("carol")) == 1
    anonymous = await dial(node, connect=True)
    assert "subscribe" in await anonymous.ask(subscribe={"channel": "$none:x"})
