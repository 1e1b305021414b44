"""Revoked tokens: at all nodes, also at those that come later or were not reached, and while clients are moved."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from integration.node.conftest import Dial
from integration.node.follower import FOLLOWS, Follower
from integration.node.kit import KEYRING, Peer, eventually
from integration.node.test_tokens import secure, token_of
from integration.server_api.kit import KEY, serving
from ringway.auth.config import TokenConfig
from ringway.engine.memory.engine import MemoryHub
from ringway.engine.nats.opening import open_nats
from ringway.engine.redis.engine import open_redis
from ringway.member import revocation_exchange
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.ports import Engine
from ringway.protocol.revocation import Revocation, Revoke, encode
from ringway.types import Incarnation, NodeName
from support.fleet import Fleet, make_fleet

PATIENCE_S = 90.0
CHAT = "chat:room"
REVOKED = (3500, "token revoked")
INVALID = (3500, "invalid token")

Open = Callable[[str], Awaitable[Engine]]


class World:
    """Nodes with one engine, and the server API of the first."""

    def __init__(self, open_engine: Open) -> None:
        self._open_engine = open_engine
        self._stack = AsyncExitStack()
        self._parts: dict[ChannelNode, AsyncExitStack] = {}
        self.nodes: list[ChannelNode] = []

    async def start_node(self, revocations_max: int = 100) -> ChannelNode:
        number = len(self.nodes) + 1
        part = AsyncExitStack()
        self._stack.push_async_callback(part.aclose)
        engine = await self._open_engine(f"n{number}")
        part.push_async_callback(engine.close)
        given = secure()
        verifier = given.pop("verifier")
        config = NodeConfig(
            allowed_hosts=("*",), stop_deadline_s=1.0, shed_handshakes=False, move_cool_down_s=0.0, **given
        )
        token = TokenConfig(hmac_secret_key="a secret of tests, long enough for it", revocations_max=revocations_max)
        node = ChannelNode(
            config, NodeName(f"n{number}"), Incarnation(f"{number:08x}"), engine, KEYRING, rng=Random(number),
            verifier=verifier, token=token,
        )  # fmt: skip
        part.push_async_callback(node.stop)
        await node.start()
        self._parts[node] = part
        self.nodes.append(node)
        return node

    async def stop_node(self, node: ChannelNode) -> None:
        await self._parts[node].aclose()

    async def call(self, method: str, at: int = 0, **request: Any) -> dict[str, Any]:
        async with serving(self.nodes[at]) as server, aiohttp.ClientSession() as session:
            headers = {"X-API-Key": KEY}
            async with session.post(f"{server.url}/api/{method}", json=request, headers=headers) as answer:
                return await answer.json()  # type: ignore[no-any-return]

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture(params=["memory", "nats", "redis"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet | None]:
    if request.param == "memory":
        yield None
        return
    fleet = make_fleet(request.param, tmp_path)
    fleet.start()
    yield fleet
    fleet.stop()


@pytest.fixture
async def world(fleet: Fleet | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(revocation_exchange, "COMPARE_S", 600.0)
    hub = MemoryHub()

    async def open_engine(name: str) -> Engine:
        if fleet is None:
            return hub.open()
        opened = open_nats if fleet.url.startswith("nats") else open_redis
        return await opened(fleet.url, name=name)

    world = World(open_engine)
    for _ in range(3):
        await world.start_node()
    yield world
    await world.close()


async def come(dial: Dial, node: ChannelNode, token: str) -> Peer:
    peer = await dial(node)
    reply = await peer.ask(connect={"token": token})
    assert "connect" in reply, reply
    return peer


async def refused(dial: Dial, node: ChannelNode, token: str) -> tuple[int, str]:
    peer = await dial(node)
    peer.send({"id": 1, "connect": {"token": token}})
    return await peer.closed()


def soon() -> int:
    return int(time.time()) + 600


async def test_a_revoked_token_is_refused_at_all_nodes_and_its_clients_are_closed(world: World, dial: Dial) -> None:
    revoked, other = token_of(jti="t1"), token_of(jti="t2")
    cut = [await come(dial, node, revoked) for node in world.nodes]
    kept = [await come(dial, node, other) for node in world.nodes]
    assert await world.call("revoke_token", uid="t1", expire_at=soon()) == {"result": {}}
    for peer in cut:
        assert await peer.closed() == REVOKED
    for node in world.nodes:
        assert await refused(dial, node, revoked) == INVALID
    for peer in kept:
        assert "unsubscribe" in await peer.ask(unsubscribe={"channel": CHAT})
    assert [len(node.clients.registry.of_user("carol")) for node in world.nodes] == [1, 1, 1]


async def test_the_tokens_of_a_user_until_now_are_refused_and_later_ones_are_not(world: World, dial: Dial) -> None:
    now = time.time()
    old, without_time = token_of(iat=now - 10), token_of()
    cut = [await come(dial, world.nodes[0], old), await come(dial, world.nodes[1], without_time)]
    others = await come(dial, world.nodes[1], token_of("dave", iat=now - 10))
    assert await world.call("invalidate_user_tokens", at=2, user="carol") == {"result": {}}
    for peer in cut:
        assert await peer.closed() == REVOKED
    for node in world.nodes:
        assert await refused(dial, node, old) == INVALID
        assert await refused(dial, node, without_time) == INVALID
    await come(dial, world.nodes[1], token_of(iat=time.time()))
    assert "unsubscribe" in await others.ask(unsubscribe={"channel": CHAT})
    await world.call("invalidate_user_tokens", user="dave", issued_before=int(now - 20))
    assert "unsubscribe" in await others.ask(unsubscribe={"channel": CHAT})


async def test_a_revoked_subscription_token_ends_the_subscription_and_no_other(world: World, dial: Dial) -> None:
    peer = await come(dial, world.nodes[1], token_of(jti="c"))
    revoked, other = token_of(channel="$chat:a", jti="s1"), token_of(channel="$chat:b", iat=time.time() - 5)
    for channel, token in (("$chat:a", revoked), ("$chat:b", other)):
        assert "subscribe" in await peer.ask(subscribe={"channel": channel, "token": token})
    await world.call("revoke_token", uid="s1")
    push = await peer.push()
    assert (push["channel"], push["unsubscribe"]) == ("$chat:a", {"code": 2000, "reason": "token revoked"})
    reply = await peer.ask(subscribe={"channel": "$chat:a", "token": revoked})
    assert reply["error"]["code"] == 103
    await world.call("invalidate_user_tokens", user="carol", channel="$chat:b")
    assert (await peer.push())["channel"] == "$chat:b"
    reply = await peer.ask(subscribe={"channel": "$chat:b", "token": other})
    assert reply["error"]["code"] == 103
    fresh = token_of(channel="$chat:b", iat=time.time())
    assert "subscribe" in await peer.ask(subscribe={"channel": "$chat:b", "token": fresh})


async def test_a_node_that_starts_later_refuses_before_its_first_client(world: World, dial: Dial) -> None:
    await world.call("revoke_token", uid="t1")
    await world.call("invalidate_user_tokens", user="dave")
    for node in world.nodes[1:]:
        await world.stop_node(node)
    late = await world.start_node()
    assert await refused(dial, late, token_of(jti="t1")) == INVALID
    assert await refused(dial, late, token_of("dave")) == INVALID
    assert len(late.clients.revoked.revocations) == 2


async def test_a_node_that_was_not_reached_learns_what_it_has_missed_and_tells_what_it_knows(
    world: World, dial: Dial
) -> None:
    lonely = world.nodes[2]
    await lonely.clients.exchange.stop()
    peer = await come(dial, lonely, token_of(jti="t1"))
    await world.call("revoke_token", uid="t1")
    await lonely.clients.exchange.start()
    assert await peer.closed() == REVOKED
    await world.nodes[0].clients.exchange.stop()
    await lonely.clients.exchange.stop()
    await world.call("revoke_token", at=1, uid="t2")
    await lonely.clients.exchange.start()
    await eventually(lambda: len(lonely.clients.revoked.revocations) == 2, PATIENCE_S)


async def test_members_that_compare_all_know_what_one_knows(world: World) -> None:
    for node in world.nodes:
        only_here = Revoke(revocations=(Revocation(float(soon()), token_id=f"only at {node.name}"),))
        assert await node.clients.exchange.handle(encode(only_here))
    assert [len(node.clients.revoked.revocations) for node in world.nodes] == [1, 1, 1]
    for node in world.nodes:
        await node.clients.exchange.compare()
    assert len({node.clients.revoked.revocations.digest for node in world.nodes}) == 1
    assert len(world.nodes[0].clients.revoked.revocations) == 3


async def test_a_session_on_its_way_is_closed_where_it_arrives(world: World) -> None:
    donor, target, _ = world.nodes
    follower = Follower(await Peer.open(donor.port, path=FOLLOWS), {node.name: node for node in world.nodes})
    assert "connect" in await follower.reply(follower.send(connect={"token": token_of(jti="t1")}))
    assert "subscribe" in await follower.reply(follower.send(subscribe={"channel": CHAT}))
    for connection in donor.clients.registry:
        await donor.clients.donors.send_off(connection, target.name)
    await follower.told_to_move()
    await world.call("revoke_token", at=2, uid="t1")
    await asyncio.sleep(1.0)  # the nodes have looked for its clients, and found none
    follower.answer()
    await follower.go_on()
    assert await follower.peer.closed() == REVOKED
    assert target.stats.resumed == 1
    follower.peer.abort()


async def test_when_a_node_has_no_room_the_caller_is_told(world: World, dial: Dial) -> None:
    await world.start_node(revocations_max=1)
    assert await world.call("revoke_token", uid="t1") == {"result": {}}
    answer = await world.call("revoke_token", uid="t2")
    assert answer["error"]["code"] == 106
    assert "1 of 4 nodes" in answer["error"]["message"]
    assert "token.revocations_max" in answer["error"]["message"]
    assert await refused(dial, world.nodes[3], token_of(jti="t1")) == INVALID
    await come(dial, world.nodes[3], token_of(jti="t2"))


@pytest.mark.parametrize(
    ("method", "request_", "what"),
    [
        ("revoke_token", {}, "uid is missing"),
        ("revoke_token", {"uid": "t", "expire_at": 1000}, "which is past"),
        ("revoke_token", {"uid": "t" * 300}, "300 characters"),
        ("invalidate_user_tokens", {"channel": "room"}, "user is missing"),
    ],
)
@pytest.mark.parametrize("fleet", ["memory"], indirect=True)
async def test_a_call_that_cannot_be_meant_is_refused(
    world: World, method: str, request_: dict[str, Any], what: str
) -> None:
    error = (await world.call(method, **request_))["error"]
    assert error["code"] == 107
    assert what in error["message"]
    assert [len(node.clients.revoked.revocations) for node in world.nodes] == [0, 0, 0]
