"""Calls that concern the clients of a user, by Centrifugo's client: at all nodes, and while clients are being moved."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import cent
import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.follower import Follower
from integration.node.kit import Peer
from integration.server_api.kit import KEY, PATIENCE_S, serving
from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.node.connection.connection import Connection
from ringway.node.server import ChannelNode
from ringway.protocol.move import read_move
from ringway.types import NodeName

ROOM = "room"
Follow = Callable[..., Awaitable[Follower]]

NAMESPACES = ("default:history_size=0", "kept:history_size=100", "live:join_leave=true")


class Users:
    """The user of the clients that connect from now on."""

    name = "u1"


@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch) -> Users:
    """Give each client that connects the user of the moment."""
    users, accept = Users(), Connection.accept

    def accept_as(connection: Connection, client: str, credentials: Credentials = ANONYMOUS) -> None:
        accept(connection, client, Credentials(user=users.name, connected_at=time.time()))

    monkeypatch.setattr(Connection, "accept", accept_as)
    return users


@pytest.fixture
async def nodes(start_node: StartNode) -> list[ChannelNode]:
    settings = {"namespaces": NAMESPACES, "move_cool_down_s": 0.0, "presence_keep_s": 0.0}
    return [await start_node(f"n{number}", **settings) for number in range(1, 4)]


@pytest.fixture
async def client(nodes: list[ChannelNode]) -> AsyncIterator[cent.AsyncClient]:
    async with serving(nodes[0]) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        try:
            yield client
        finally:
            await client.close()


@pytest.fixture
async def follow() -> AsyncIterator[Follow]:
    """Open a session that follows moves; `follow(node, others..., channels=(...))`."""
    followers: list[Follower] = []

    async def open_follower(*nodes: ChannelNode, channels: tuple[str, ...] = ()) -> Follower:
        followers.append(await Follower.open(*nodes, channels=channels))
        return followers[-1]

    yield open_follower
    for follower in followers:
        follower.peer.abort()


async def connected(dial: Dial, node: ChannelNode, *channels: str) -> tuple[Peer, str]:
    """Connect and subscribe; return the peer and its client id."""
    peer = await dial(node)
    client = (await peer.connect())["client"]
    for channel in channels:
        await peer.subscribe(channel)
    return peer, client


def clients_of(nodes: list[ChannelNode], user: str) -> int:
    return sum(len(node.clients.registry.of_user(user)) for node in nodes)


async def test_a_user_is_cut_off_at_all_nodes_and_nobody_else(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial, users: Users
) -> None:
    own = [await connected(dial, node, ROOM) for node in nodes for _ in range(2)]
    users.name = "u2"
    other, _ = await connected(dial, nodes[1], ROOM)
    spared = own[3][1]
    await client.disconnect(cent.DisconnectRequest(user="u1", client=own[0][1]))
    assert await own[0][0].closed() == (3503, "force disconnect")
    assert clients_of(nodes, "u1") == 5
    reason = cent.Disconnect(code=4321, reason="told so")
    await client.disconnect(cent.DisconnectRequest(user="u1", whitelist=[spared], disconnect=reason))
    for peer, name in own[1:]:
        if name != spared:
            assert await peer.closed() == (4321, "told so")
    assert clients_of(nodes, "u1") == 1
    assert (await client.presence(cent.PresenceRequest(channel=ROOM))).presence.keys() >= {spared}
    await client.disconnect(cent.DisconnectRequest(user="u1", session=spared))
    assert clients_of(nodes, "u1") == 0
    await other.publish(ROOM, 1)


async def test_a_user_is_unsubscribed_and_told_so(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial
) -> None:
    peers = [(await connected(dial, node, ROOM, "kept:x"))[0] for node in nodes]
    await client.unsubscribe(cent.UnsubscribeRequest(user="u1", channel=ROOM))
    for peer in peers:
        push = await peer.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (ROOM, 2000)
    assert (await client.presence_stats(cent.PresenceStatsRequest(channel=ROOM))).num_clients == 0
    await client.publish(cent.PublishRequest(channel=ROOM, data="not for them"))
    await client.publish(cent.PublishRequest(channel="kept:x", data=1))
    for peer in peers:
        assert (await peer.push())["channel"] == "kept:x"
    await client.unsubscribe(cent.UnsubscribeRequest(user="u1", channel=""))
    assert (await peers[0].push())["unsubscribe"]


async def test_a_user_is_subscribed_and_gets_what_follows(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial, users: Users
) -> None:
    await client.publish(cent.PublishRequest(channel="kept:x", data="before"))
    own = [await connected(dial, node) for node in nodes]
    users.name = "u2"
    other, _ = await connected(dial, nodes[0])
    await client.subscribe(cent.SubscribeRequest(user="u1", channel="kept:x", info={"a": 1}, data={"hello": "you"}))
    await client.publish(cent.PublishRequest(channel="kept:x", data="after"))
    for peer, _ in own:
        push = await peer.push()
        assert push["channel"] == "kept:x"
        assert push["subscribe"]["data"] == {"hello": "you"}
        assert push["subscribe"]["recoverable"]
        assert push["subscribe"]["offset"]
        assert (await peer.push())["pub"]["data"] == "after"
    present = (await client.presence(cent.PresenceRequest(channel="kept:x"))).presence
    assert {name: info.chan_info for name, info in present.items()} == {name: {"a": 1} for _, name in own}
    await client.subscribe(cent.SubscribeRequest(user="u1", channel="kept:x"))
    assert (await client.presence_stats(cent.PresenceStatsRequest(channel="kept:x"))).num_clients == 3
    assert not other.pushes


async def test_a_subscription_of_the_server_ends_at_its_time(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial
) -> None:
    peer, _ = await connected(dial, nodes[0])
    await client.subscribe(cent.SubscribeRequest(user="u1", channel=ROOM, expire_at=int(time.time()) - 3600))
    assert (await peer.closed())[0] == 3006


async def test_another_end_is_set_for_the_connections_of_a_user_and_they_are_told(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial, users: Users
) -> None:
    own = [await connected(dial, node) for node in nodes]
    users.name = "u2"
    other, _ = await connected(dial, nodes[1])
    await client.refresh(cent.RefreshRequest(user="u1", expire_at=int(time.time()) + 100))
    for peer, _ in own:
        told = (await peer.push())["refresh"]
        assert told["expires"] is True
        assert 0 < told["ttl"] <= 100
    assert sum(len(node.clients.context.expiry) for node in nodes) == 3
    await client.refresh(cent.RefreshRequest(user="u1", client=own[0][1], expire_at=0))
    assert (await own[0][0].push())["refresh"] == {}
    await client.refresh(cent.RefreshRequest(user="u1", client=own[0][1], expire_at=int(time.time()) - 100))
    assert await own[0][0].closed() == (3005, "connection expired")
    await client.refresh(cent.RefreshRequest(user="u1", expired=True))
    for peer, _ in own[1:]:
        assert await peer.closed() == (3005, "connection expired")
    await other.publish(ROOM, 1)


async def test_the_connections_of_a_user_are_named(
    nodes: list[ChannelNode], client: cent.AsyncClient, dial: Dial, users: Users
) -> None:
    own = {(await connected(dial, node, ROOM))[1] for node in nodes}
    users.name = "u2"
    _, other = await connected(dial, nodes[2])
    found = (await client.connections(cent.ConnectionsRequest(user="u1", expression=""))).connections
    assert set(found) == own
    assert {each.user for each in found.values()} == {"u1"}
    assert [set(each.state.channels) for each in found.values() if each.state] == [{ROOM}] * 3
    everybody = (await client.connections(cent.ConnectionsRequest(user="", expression=""))).connections
    assert set(everybody) == {*own, other}


# sessions on their way


async def test_a_session_between_two_nodes_is_cut_off_where_it_arrives(
    nodes: list[ChannelNode], client: cent.AsyncClient, follow: Follow
) -> None:
    donor, target, _ = nodes
    follower = await follow(donor, target, channels=(ROOM,))
    await send_off(donor, target)
    await follower.told_to_move()
    assert clients_of(nodes, "u1") == 0
    await client.disconnect(cent.DisconnectRequest(user="u1"))
    follower.answer()
    await follower.go_on()
    assert await follower.peer.closed() == (3503, "force disconnect")
    assert (await client.presence_stats(cent.PresenceStatsRequest(channel=ROOM))).num_clients == 0
    assert target.stats.resumed == 1


async def test_a_session_between_two_nodes_is_unsubscribed_where_it_arrives(
    nodes: list[ChannelNode], client: cent.AsyncClient, follow: Follow
) -> None:
    donor, target, _ = nodes
    follower = await follow(donor, target, channels=(ROOM, "kept:x"))
    await send_off(donor, target)
    await follower.told_to_move()
    await client.unsubscribe(cent.UnsubscribeRequest(user="u1", channel=ROOM))
    await client.subscribe(cent.SubscribeRequest(user="u1", channel="live:x"))
    follower.answer()
    await follower.go_on()
    async with asyncio.timeout(PATIENCE_S):
        while len(pushes := [line["push"] for line in follower.got if "push" in line]) < 2:
            await follower.read()
    assert [(push["channel"], "unsubscribe" in push) for push in pushes] == [(ROOM, True), ("live:x", False)]
    assert target.clients.registry.of_user("u1")[0].channels == ["kept:x", "live:x"]


async def test_a_session_between_two_nodes_gets_its_other_end_where_it_arrives(
    nodes: list[ChannelNode], client: cent.AsyncClient, follow: Follow
) -> None:
    donor, target, _ = nodes
    follower = await follow(donor, target)
    await send_off(donor, target)
    await follower.told_to_move()
    end = int(time.time()) + 100
    await client.refresh(cent.RefreshRequest(user="u1", expire_at=end))
    follower.answer()
    await follower.go_on()
    async with asyncio.timeout(PATIENCE_S):
        while not [line for line in follower.got if "refresh" in line.get("push", {})]:
            await follower.read()
    assert target.clients.registry.of_user("u1")[0].credentials.expires_at == end


async def test_an_order_that_missed_the_donor_is_carried_out_by_the_target(
    nodes: list[ChannelNode], client: cent.AsyncClient, follow: Follow
) -> None:
    donor, target, _ = nodes
    follower = await follow(donor, target)
    await donor.clients.orders.stop()  # it hears of no order any more
    await client.disconnect(cent.DisconnectRequest(user="u1"))
    assert clients_of(nodes, "u1") == 1
    await send_off(donor, target)
    await follower.follow()
    assert await follower.peer.closed() == (3503, "force disconnect")


async def test_who_connects_after_the_order_may_be_moved(
    nodes: list[ChannelNode], client: cent.AsyncClient, follow: Follow
) -> None:
    donor, target, _ = nodes
    await client.disconnect(cent.DisconnectRequest(user="u1"))
    follower = await follow(donor, target, channels=(ROOM,))
    await send_off(donor, target)
    await follower.follow()
    await client.publish(cent.PublishRequest(channel=ROOM, data="still here"))
    assert await follower.run(ROOM, "still here") == ["still here"]


async def send_off(donor: ChannelNode, target: ChannelNode) -> None:
    """Begin to move all clients of `donor`."""
    for connection in donor.clients.registry:
        if connection.may_leave:
            await donor.clients.donors.send_off(connection, NodeName(target.name))


# a crowd

CROWD = 1000


class Member:
    """A client that follows moves, and connects again unless a final code forbids it."""

    def __init__(self, nodes: list[ChannelNode], number: int) -> None:
        self.nodes = nodes
        self.number = number
        self.ends: list[tuple[int, str]] = []
        self.moves = 0
        self.is_ready = False

    async def run(self) -> None:
        """Live until a final code comes."""
        while not any(code >= 3500 for code, _ in self.ends):
            node = self.nodes[self.number % len(self.nodes)]
            follower = await Follower.open(node, *self.nodes, channels=(ROOM,))
            self.is_ready = True
            try:
                await self._follow(follower)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.ends.append((1006, ""))
            finally:
                follower.peer.abort()

    async def _follow(self, follower: Follower) -> None:
        while True:
            opcode, payload = await follower.peer.recv()
            if opcode != 8:
                follower.take(payload)
                continue
            code, reason = struct.unpack(">H", payload[:2])[0], payload[2:].decode()
            move = None if code != 1012 else read_move(reason)
            if move is None:
                self.ends.append((code, reason))
                return
            self.moves += 1
            follower.move = move
            follower.answer()
            await follower.go_on()


@pytest.mark.slow
async def test_nobody_of_a_crowd_comes_back_by_a_move(
    nodes: list[ChannelNode], client: cent.AsyncClient, record_property: Callable[[str, object], None]
) -> None:
    members = [Member(nodes, number) for number in range(CROWD)]
    lives = [asyncio.create_task(member.run()) for member in members]
    moving = asyncio.create_task(keep_moving(nodes, members))
    try:
        async with asyncio.timeout(90):
            while sum(member.moves for member in members) < CROWD:
                await asyncio.sleep(0.05)
            assert [member.ends for member in members if member.ends] == []
            began = time.perf_counter()
            await client.disconnect(cent.DisconnectRequest(user="u1"))
            await asyncio.gather(*lives)
        record_property("cut_off_s", time.perf_counter() - began)
        assert {tuple(member.ends) for member in members} == {((3503, "force disconnect"),)}
        assert clients_of(nodes, "u1") == 0
    finally:
        for task in (moving, *lives):
            task.cancel()
        await asyncio.gather(moving, *lives, return_exceptions=True)


async def keep_moving(nodes: list[ChannelNode], members: list[Member]) -> None:
    """Move everybody to the next node, again and again."""
    while not all(member.is_ready for member in members):
        await asyncio.sleep(0.05)
    while True:
        for donor, target in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            await send_off(donor, target)
        await asyncio.sleep(0.05)
