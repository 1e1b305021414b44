"""Calls of a backend that concern a client whose subscribe command waits, here for the engine (P-4.5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cent
import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer
from integration.server_api.kit import KEY, PATIENCE_S, serving
from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.node.channels.streams import Streams
from ringway.node.connection.connection import Connection
from ringway.node.server import ChannelNode
from ringway.types import Channel

ROOM = "room"
MINE = {"user": "u1"}


class Gate:
    """Holds the first channel that a node asks of the engine."""

    def __init__(self) -> None:
        self.is_first = True
        self.is_asked = asyncio.Event()
        self.is_open = asyncio.Event()

    async def wait(self) -> None:
        if self.is_first:
            self.is_first = False
            self.is_asked.set()
            await self.is_open.wait()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, obtain, accept = Gate(), Streams.obtain, Connection.accept

    async def obtain_late(streams: Streams, channel: Channel) -> None:
        await gate.wait()
        await obtain(streams, channel)

    def accept_as(connection: Connection, client: str, credentials: Credentials = ANONYMOUS) -> None:
        accept(connection, client, Credentials(user="u1"))

    monkeypatch.setattr(Streams, "obtain", obtain_late)
    monkeypatch.setattr(Connection, "accept", accept_as)
    return gate


@asynccontextmanager
async def backend(node: ChannelNode) -> AsyncIterator[cent.AsyncClient]:
    async with serving(node) as server:
        client = cent.AsyncClient(f"{server.url}/api", KEY)
        try:
            yield client
        finally:
            await client.close()


async def subscribing(peer: Peer, gate: Gate) -> None:
    peer.send({"id": 9, "subscribe": {"channel": ROOM}})
    async with asyncio.timeout(PATIENCE_S):
        await gate.is_asked.wait()


async def finish(peer: Peer, gate: Gate) -> int:
    """Let the subscribe command go on; return the code of its error."""
    gate.is_open.set()
    reply = await peer.reply(9)
    code: int = reply.get("error", {}).get("code", 0)
    return code


def subscriptions(node: ChannelNode) -> list[str]:
    return [channel for each in node.clients.registry.of_user("u1") for channel in each.channels]


async def test_a_client_that_the_server_subscribes_meanwhile_is_subscribed_once(
    start_node: StartNode, dial: Dial, gate: Gate
) -> None:
    node = await start_node()
    async with backend(node) as api:
        peer = await dial(node, connect=True)
        await subscribing(peer, gate)
        await api.subscribe(cent.SubscribeRequest(channel=ROOM, **MINE))
        assert await finish(peer, gate) == 105
        assert subscriptions(node) == [ROOM]
        await api.unsubscribe(cent.UnsubscribeRequest(channel=ROOM, **MINE))
        assert subscriptions(node) == []
        await peer.subscribe(ROOM)


@pytest.mark.parametrize("channel", [ROOM, ""], ids=["the channel", "all channels"])
async def test_a_subscription_that_waits_is_ended_by_an_unsubscribe(
    start_node: StartNode, dial: Dial, gate: Gate, channel: str
) -> None:
    node = await start_node()
    async with backend(node) as api:
        peer = await dial(node, connect=True)
        await subscribing(peer, gate)
        await api.unsubscribe(cent.UnsubscribeRequest(channel=channel, **MINE))
        assert await finish(peer, gate) == 103
        assert subscriptions(node) == []
        await peer.subscribe(ROOM)  # the order is about what was asked before it


async def test_an_unsubscribe_from_another_channel_leaves_it_alone(
    start_node: StartNode, dial: Dial, gate: Gate
) -> None:
    node = await start_node()
    async with backend(node) as api:
        peer = await dial(node, connect=True)
        await subscribing(peer, gate)
        await api.unsubscribe(cent.UnsubscribeRequest(channel="other", **MINE))
        assert await finish(peer, gate) == 0
        assert subscriptions(node) == [ROOM]


async def test_clients_that_subscribe_together_share_the_limit_of_their_user(
    start_node: StartNode, dial: Dial, gate: Gate
) -> None:
    node = await start_node(user_subscriptions_max=1)
    first, second = await dial(node, connect=True), await dial(node, connect=True)
    await subscribing(first, gate)
    await second.subscribe("other")
    assert await finish(first, gate) == 106
    assert subscriptions(node) == ["other"]
