"""Methods of the server API, typed: one suite over HTTP (`ringway.Server`) and in the process of a node."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import ringway
from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer, eventually
from integration.server_api.kit import KEY, serving
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server import ChannelNode
from ringway.node.server_api.local import LocalServer

NAMESPACES = ("default:history_size=5", "live:history_size=0,presence=false")

Make = Callable[[], Awaitable[ringway.ServerMethods]]


@pytest.fixture
async def nodes(start_node: StartNode) -> list[ChannelNode]:
    return [await start_node(name, namespaces=NAMESPACES) for name in ("n1", "n2")]


@pytest.fixture(params=["http", "local"])
async def server(request: pytest.FixtureRequest, nodes: list[ChannelNode]) -> AsyncIterator[ringway.ServerMethods]:
    """The API of the first of two nodes."""
    if request.param == "local":
        config = HttpApiConfig(commands_max=3)
        yield LocalServer(nodes[0].api_methods(config), config.commands_max)
        return
    async with serving(nodes[0], commands_max=3) as port, ringway.Server(port.url, key=KEY) as client:
        yield client


@pytest.fixture
async def peer(nodes: list[ChannelNode], dial: Dial) -> tuple[Peer, str]:
    """A client of the second node, subscribed to `room`; with its id."""
    peer = await dial(nodes[1])
    client = (await peer.connect())["client"]
    await peer.subscribe("room")
    return peer, client


async def test_publications_have_a_position_and_reach_clients(
    server: ringway.ServerMethods, peer: tuple[Peer, str]
) -> None:
    for data in (None, 0, "ü\n", [1, {"a": None}]):
        position = await server.publish("room", data, tags={"a": "b"})
        pub = (await peer[0].push())["pub"]
        assert (pub["data"], pub["tags"], pub["offset"]) == (data, {"a": "b"}, position.offset)
    assert await server.publish("live:room", 1) == ("", 0)
    assert await server.publish("room", 1, skip_history=True) == ("", 0)


async def test_a_key_makes_a_repeat_harmless(server: ringway.ServerMethods) -> None:
    first = await server.publish("room", 1, idempotency_key="k")
    assert await server.publish("room", 2, idempotency_key="k") == first
    with pytest.raises(ringway.CommandError) as refused:
        await server.publish("live:room", 1, idempotency_key="k")
    assert refused.value.code == 108


async def test_a_broadcast_has_an_outcome_for_each_channel(server: ringway.ServerMethods) -> None:
    done, plain, refused = await server.broadcast(["room", "live:room", ""], {"a": 1})
    assert isinstance(done, ringway.StreamPosition)
    assert done.offset
    assert plain == ("", 0)
    assert isinstance(refused, ringway.CommandError)
    assert refused.code == 107


async def test_the_history_is_read_in_both_directions(server: ringway.ServerMethods) -> None:
    positions = [await server.publish("room", number, tags={"n": str(number)}) for number in range(7)]
    history = await server.history("room", limit=3)
    assert [each.data for each in history.publications] == [2, 3, 4]
    assert history.publications[0].tags == {"n": "2"}
    assert history.publications[0].info is None
    assert history.position == positions[-1]
    later = await server.history("room", since=positions[4])
    assert [each.offset for each in later.publications] == [each.offset for each in positions[5:]]
    newest = await server.history("room", limit=2, reverse=True)
    assert [each.data for each in newest.publications] == [6, 5]
    assert (await server.history("room", limit=0)).publications == ()
    with pytest.raises(ringway.CommandError) as refused:
        await server.history("room", since=ringway.StreamPosition("other", 1))
    assert refused.value.code == 112


async def test_presence_and_channels_are_of_all_nodes(server: ringway.ServerMethods, peer: tuple[Peer, str]) -> None:
    assert list(await server.presence("room")) == [peer[1]]
    assert await server.presence_stats("room") == (1, 1)
    assert await server.channels() == {"room": 1}
    assert await server.channels("other*") == {}
    assert [node.name for node in await server.info()] == ["n1", "n2"]
    with pytest.raises(ringway.CommandError) as refused:
        await server.presence("live:room")
    assert refused.value.code == 108


async def test_connections_are_found_subscribed_and_closed(
    server: ringway.ServerMethods, peer: tuple[Peer, str], nodes: list[ChannelNode]
) -> None:
    client = peer[1]
    found = await server.connections()
    assert list(found) == [client]
    assert list(found[client].state.channels) == ["room"]
    await server.subscribe("", "more", client=client, data={"why": 1})
    pushed = await peer[0].push()
    assert (pushed["channel"], pushed["subscribe"]["data"]) == ("more", {"why": 1})
    await server.unsubscribe("", "more", client=client)
    assert "unsubscribe" in await peer[0].push()
    await server.disconnect(client=client, whitelist=[client])
    assert await peer[0].ask(ping={}) == {"ping": {}}
    await server.disconnect(client=client, code=4321, reason="over")
    assert await peer[0].closed() == (4321, "over")
    await eventually(lambda: nodes[1].connections == 0)


async def test_the_history_is_removed(server: ringway.ServerMethods) -> None:
    await server.publish("room", 1)
    await server.history_remove("room")
    assert (await server.history("room")).publications == ()


async def test_connections_end_at_another_time(server: ringway.ServerMethods, peer: tuple[Peer, str]) -> None:
    await server.refresh(client=peer[1], expire_at=2**33)
    assert await peer[0].ask(ping={}) == {"ping": {}}
    await server.refresh(client=peer[1], expired=True)
    assert (await peer[0].closed())[0] == 3005


async def test_tokens_are_revoked(server: ringway.ServerMethods) -> None:
    await server.revoke_token("an id")
    await server.invalidate_user_tokens("carol")
    with pytest.raises(ringway.CommandError) as refused:
        await server.revoke_token("")
    assert refused.value.code == 107


async def test_a_batch_has_an_outcome_for_each_command(server: ringway.ServerMethods) -> None:
    done, refused, unknown = await server.batch(
        [("publish", {"channel": "room", "data": 1}), ("publish", {"channel": ""}), ("nothing", {})]
    )
    assert done["offset"] == 1
    assert [refused.code, unknown.code] == [107, 104]
    with pytest.raises(ringway.CommandError) as long:
        await server.batch([("info", {})] * 4)
    assert long.value.code == 106


@pytest.mark.parametrize("data", [object(), {1, object()}], ids=["object", "set"])
async def test_data_without_a_json_form_is_refused_before_the_call(server: ringway.ServerMethods, data: Any) -> None:
    with pytest.raises(TypeError):
        await server.publish("room", data)
