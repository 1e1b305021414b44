"""Presence: the subscribers by the answers of the nodes that have the channel, and joins and leaves on request."""

import asyncio
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer, eventually
from ringway.engine.memory.engine import MemoryHub
from ringway.node.server import ChannelNode
from ringway.protocol.command import ClientInfo
from ringway.types import Channel

NAMESPACES = (
    "default:history_size=0",
    "live:join_leave=true",
    "kept:join_leave=true,history_size=10",
    "dark:presence=false",
    "told:join_leave=true,force_push_join_leave=true",
)


async def start_two(start_node: StartNode, **settings: Any) -> tuple[ChannelNode, ChannelNode]:
    one = await start_node("n1", namespaces=NAMESPACES, **settings)
    two = await start_node("n2", namespaces=NAMESPACES, **settings)
    return one, two


async def come(dial: Dial, node: ChannelNode, channel: str, **request: Any) -> tuple[Peer, str]:
    """A peer that is subscribed, and its id."""
    peer = await dial(node)
    client = (await peer.connect())["client"]
    assert "subscribe" in await peer.ask(subscribe={"channel": channel, **request})
    return peer, client


async def test_presence_names_the_clients_of_all_nodes(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_two(start_node)
    (peer, first), (_, second), (_, _) = [
        await come(dial, one, "c"),
        await come(dial, two, "c"),
        await come(dial, two, "other"),
    ]
    expected = {client: {"user": "", "client": client} for client in (first, second)}
    assert (await peer.ask(presence={"channel": "c"}))["presence"] == {"presence": expected}
    assert (await peer.ask(presence_stats={"channel": "c"}))["presence_stats"] == {"num_clients": 2, "num_users": 1}
    assert (await peer.ask(presence={"channel": "empty"}))["presence"] == {"presence": {}}
    stats = (await peer.ask(presence_stats={"channel": "empty"}))["presence_stats"]
    assert stats == {"num_clients": 0, "num_users": 0}


async def test_a_node_that_does_not_answer_is_left_out(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_two(start_node, presence_deadline_s=0.1)
    peer, first = await come(dial, one, "c")
    await come(dial, two, "c")
    two.engine.broker.attach_questions(lambda channel, question, answer: None)
    answer = await peer.ask(presence={"channel": "c"})
    assert set(answer["presence"]["presence"]) == {first}


async def test_while_the_engine_is_away_presence_is_refused_for_a_time(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    one, _ = await start_two(start_node)
    peer, _ = await come(dial, one, "c")
    hub.away = True
    for request in ({"presence": {"channel": "c"}}, {"presence_stats": {"channel": "c"}}):
        error = (await peer.ask(**request))["error"]
        assert (error["code"], error["temporary"]) == (100, True)


async def test_more_clients_than_may_be_named_are_counted(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_two(start_node, presence_clients_max=3, presence_keep_s=0.0)
    peers = [(await come(dial, node, "c"))[0] for node in (one, two, one, two)]
    assert (await peers[0].ask(presence={"channel": "c"}))["error"]["code"] == 106
    assert (await peers[0].ask(presence_stats={"channel": "c"}))["presence_stats"]["num_clients"] == 4
    peers[3].abort()
    await eventually(lambda: two.hub.count(Channel("c")) == 1)
    assert len((await peers[0].ask(presence={"channel": "c"}))["presence"]["presence"]) == 3


async def test_presence_can_be_off(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    peer, _ = await come(dial, node, "dark:c")
    for request in ({"presence": {"channel": "dark:c"}}, {"presence_stats": {"channel": "dark:c"}}):
        assert (await peer.ask(**request))["error"]["code"] == 108


async def test_a_session_on_its_way_is_present_and_counted_once_by_name(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_two(start_node)
    peer, first = await come(dial, one, "c")
    infos = [ClientInfo("", first), ClientInfo("u", "on-its-way")]
    await two.clients.channels.streams.obtain(Channel("c"))  # as the target of a session does
    two.clients.channels.presence.incoming_sessions.append(lambda channel: infos if channel == "c" else ())
    present = (await peer.ask(presence={"channel": "c"}))["presence"]["presence"]
    assert set(present) == {first, "on-its-way"}
    assert (await peer.ask(presence_stats={"channel": "c"}))["presence_stats"]["num_users"] == 2


@pytest.mark.parametrize("channel", ["live:c", "kept:c"])
async def test_who_asks_is_told_who_comes_and_goes(start_node: StartNode, dial: Dial, channel: str) -> None:
    one, two = await start_two(start_node)
    watcher, own = await come(dial, one, channel, join_leave=True)
    plain, _ = await come(dial, one, channel)
    assert (await watcher.push())["join"]["info"] == {"user": "", "client": own}
    await watcher.push()  # the join of `plain`
    other, client = await come(dial, two, channel)
    assert await watcher.push() == {"channel": channel, "join": {"info": {"user": "", "client": client}}}
    await other.ask(unsubscribe={"channel": channel})
    assert await watcher.push() == {"channel": channel, "leave": {"info": {"user": "", "client": client}}}
    third, client = await come(dial, two, channel)
    third.abort()
    assert [(await watcher.push())[kind]["info"]["client"] for kind in ("join", "leave")] == [client, client]
    await plain.publish(channel, 1)
    assert "pub" in await plain.push()
    assert plain.pushes == []


async def test_everybody_is_told_who_comes_and_goes_where_the_namespace_says_so(
    start_node: StartNode, dial: Dial
) -> None:
    one, two = await start_two(start_node)
    plain, own = await come(dial, one, "told:c")
    assert (await plain.push())["join"]["info"]["client"] == own
    other, client = await come(dial, two, "told:c")
    assert (await plain.push())["join"]["info"]["client"] == client
    other.abort()
    assert (await plain.push())["leave"]["info"]["client"] == client


async def test_where_the_namespace_does_not_say_so_nobody_is_told(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    watcher, _ = await come(dial, node, "c", join_leave=True)
    await come(dial, node, "c")
    await watcher.publish("c", 1)
    assert "pub" in await watcher.push()


async def test_a_session_that_goes_on_elsewhere_leaves_and_comes_silently(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=NAMESPACES)
    watcher, own = await come(dial, node, "live:c", join_leave=True)
    moved, client = await come(dial, node, "live:c")
    assert [(await watcher.push())["join"]["info"]["client"] for _ in range(2)] == [own, client]
    [connection] = [one for one in node.clients.registry if one.client == client]
    connection.close(1012, "move", silently=True)
    await moved.closed()
    await watcher.publish("live:c", 1)
    assert "pub" in await watcher.push()
    node.clients.channels.presence.publish_leave(Channel("live:c"), connection.info)  # it never came to its new node
    assert (await watcher.push())["leave"]["info"]["client"] == client


async def test_leaves_are_sent_before_a_node_is_gone(start_node: StartNode, dial: Dial) -> None:
    one, two = await start_two(start_node)
    watcher, _ = await come(dial, one, "live:c", join_leave=True)
    await watcher.push()
    for _ in range(3):
        await come(dial, two, "live:c")
        await watcher.push()
    await two.stop()
    assert [set(await watcher.push()) for _ in range(3)] == [{"channel", "leave"}] * 3


async def test_a_node_waits_for_its_last_words(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(namespaces=NAMESPACES)
    await come(dial, node, "live:c")
    await eventually(lambda: not node.clients.channels.presence.is_publishing)
    said: list[bytes] = []

    async def slowly(channel: Channel, payload: bytes) -> None:
        await asyncio.sleep(0.2)
        said.append(payload[1:2])

    monkeypatch.setattr(node.engine.broker, "publish", slowly)
    await node.stop()
    assert said == [b"l"]


async def test_joins_that_cannot_be_sent_keep_nobody_waiting(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node(namespaces=NAMESPACES)
    watcher, _ = await come(dial, node, "live:c", join_leave=True)
    await watcher.push()
    hub.away = True
    peer, _ = await come(dial, node, "live:c")
    assert await peer.ask(ping={}) == {"ping": {}}
    await eventually(lambda: node.stats.notices_dropped == 1)
    hub.away = False
    await asyncio.sleep(0)
    await peer.ask(unsubscribe={"channel": "live:c"})
    assert "leave" in await watcher.push()
