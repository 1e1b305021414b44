"""The Python client over channels with history: it recovers missed publications, or reports that it cannot."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from client_kit import QUICK, until

import ringway
from ringway.client import Event
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.errors import CommandError
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation, NodeName

pytestmark = pytest.mark.timeout(60)

NAMESPACES = ("short:history_size=3", "plain:history_size=0,presence=false", "live:join_leave=true")


class Nodes:
    """Two nodes over one memory engine, and clients that go to either."""

    def __init__(self) -> None:
        self.hub = MemoryHub()
        self.engines: list[MemoryEngine] = []
        self.nodes = [self._make(number) for number in (1, 2)]
        self.events: list[Event] = []

    def _make(self, number: int) -> ChannelNode:
        config = NodeConfig(insecure=True, ping_interval_s=2, pong_timeout_s=1, namespaces=NAMESPACES)
        engine, rng = self.hub.open(), Random(number)
        self.engines.append(engine)
        incarnation = Incarnation(f"{number:08x}")
        return ChannelNode(config, NodeName(f"n{number}"), incarnation, engine, Keyring(b"of this test"), rng=rng)

    def client(self, *numbers: int) -> ringway.Client:
        urls = [self.nodes[number - 1].url for number in numbers or (1, 2)]
        return ringway.Client(urls, config=QUICK, on_event=self.events.append)

    def cut(self, client: ringway.Client) -> None:
        """Break the connection of `client` as a node that dies does."""
        for node in self.nodes:
            for connection in node.clients.registry:
                if connection.client == client.id:
                    connection.cut()

    async def publish_at_once(self, name: str, *data: int) -> None:
        """Publish without giving way to anybody."""
        for one in data:
            await self.nodes[0].clients.channels.publish(Channel(name), b'{"data":%d}' % one)


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    both = Nodes()
    for node in both.nodes:
        await node.start()
    yield both
    for node in both.nodes:
        await node.stop()


async def take(subscription: ringway.Subscription, count: int) -> list[Any]:
    return [(await subscription.receive()).data for _ in range(count)]


async def test_what_is_missed_comes_first_and_everything_once(nodes: Nodes) -> None:
    async with nodes.client() as client, nodes.client(2) as writer, client.subscribe("room") as room:
        assert room.recoverable
        await writer.publish("room", 0)
        assert await take(room, 1) == [0]
        for number in range(1, 31):
            if number % 10 == 0:
                nodes.cut(client)
            await writer.publish("room", number)
        assert await take(room, 30) == list(range(1, 31))
        assert room.gaps == 0
        assert not [event for event in nodes.events if isinstance(event, ringway.Gap)]


async def test_more_than_is_kept_is_told(nodes: Nodes) -> None:
    async with nodes.client() as client, nodes.client(2) as writer, client.subscribe("short:room") as room:
        await writer.publish("short:room", 0)
        assert await take(room, 1) == [0]
        nodes.cut(client)
        await nodes.publish_at_once("short:room", *range(1, 8))
        await until(lambda: room.gaps == 1)
        await writer.publish("short:room", 8)
        publication = await room.receive()
        assert (publication.data, publication.after_gap) == (8, True)
        await until(lambda: ringway.Gap(Channel("short:room")) in nodes.events)


async def test_history_can_be_read_in_pages(nodes: Nodes) -> None:
    async with nodes.client() as client:
        for number in range(7):
            await client.publish("room", number)
        first = await client.history("room", limit=3)
        assert [publication.data for publication in first.publications] == [0, 1, 2]
        assert first.publications[0].client == client.id
        since = ringway.StreamPosition(first.position.epoch, first.publications[-1].offset)
        rest = await client.history("room", since=since)
        assert [publication.data for publication in rest.publications] == [3, 4, 5, 6]
        assert rest.publications[-1].offset == rest.position.offset
        newest = await client.history("room", limit=2, reverse=True)
        assert [publication.data for publication in newest.publications] == [6, 5]
        with pytest.raises(CommandError) as other:
            await client.history("room", since=ringway.StreamPosition("other", 0))
        assert other.value.code == 112
        with pytest.raises(CommandError) as off:
            await client.history("plain:room")
        assert off.value.code == 108


async def test_who_is_there_can_be_asked_and_followed(nodes: Nodes) -> None:
    notes: list[ringway.Joined | ringway.Left] = []
    async with nodes.client(1) as one, nodes.client(2) as two:
        async with one.subscribe("live:room", on_presence=notes.append):
            await until(lambda: len(notes) == 1)  # itself
            async with two.subscribe("live:room"):
                assert set(await one.presence("live:room")) == {one.id, two.id}
                assert await one.presence_stats("live:room") == (2, 1)
                await until(lambda: len(notes) == 2)
            await until(lambda: len(notes) == 3)
        two_id = two.id
        assert [type(note) for note in notes] == [ringway.Joined, ringway.Joined, ringway.Left]
        assert [note.client for note in notes[1:]] == [two_id, two_id]
        with pytest.raises(CommandError) as off:
            await one.presence("plain:room")
        assert off.value.code == 108


async def test_a_publication_with_a_key_is_repeated_without_being_doubled(nodes: Nodes) -> None:
    async with nodes.client(1) as client, nodes.client(2) as reader, reader.subscribe("room") as room:
        history = nodes.engines[0].history
        append = history.append

        async def and_die(*arguments: Any, **more: Any) -> Any:
            history.append = append  # type: ignore[method-assign]
            await append(*arguments, **more)
            nodes.cut(client)
            await asyncio.sleep(10)

        history.append = and_die  # type: ignore[method-assign]
        await client.publish("room", 1, idempotency_key="order 1")
        await client.publish("room", 2, idempotency_key="order 2")
        assert await take(room, 2) == [1, 2]
        history.append = and_die  # type: ignore[method-assign]
        with pytest.raises(ringway.ConnectionClosed):
            await client.publish("room", 3)


async def test_questions_are_repeated_over_a_lost_connection(nodes: Nodes) -> None:
    async with nodes.client(1) as client:
        await client.publish("room", 1)
        reader = nodes.nodes[0].clients.channels.streams.reader
        read = reader.read

        async def and_die(*arguments: Any, **more: Any) -> Any:
            reader.read = read  # type: ignore[method-assign]
            nodes.cut(client)
            await until(lambda: client.node is None)
            return await read(*arguments, **more)

        reader.read = and_die  # type: ignore[method-assign]
        assert len((await client.history("room")).publications) == 1
