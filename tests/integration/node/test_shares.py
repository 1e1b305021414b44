"""Limits that the connections of a user, or of an address, share at a node."""

from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer, eventually
from integration.node.test_tokens import come, secure
from ringway.node.server import ChannelNode

OWN = {"channel": "plain:a", "data": 1}


async def publish(peer: Peer) -> int:
    """Publish; return the code of the error, 0 if there was none."""
    return int((await peer.ask(publish=OWN)).get("error", {}).get("code", 0))


async def test_a_user_over_its_rate_is_refused_at_all_of_its_connections_and_others_are_not(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(**secure(user_commands_per_s=0.1, user_commands_burst=4))
    first, second = [await come(dial, node) for _ in range(2)]
    dave = await come(dial, node, "dave")
    assert [await publish(peer) for peer in (first, second, first, second)] == [0, 0, 0, 0]
    for peer in (first, second):
        error = (await peer.ask(publish=OWN))["error"]
        assert (error["code"], error["temporary"]) == (111, True)
        assert "user_commands_per_s" in error["message"]
    assert await publish(dave) == 0
    assert node.stats.published == 5


async def test_who_goes_on_regardless_is_closed(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(user_commands_per_s=0.1, user_commands_burst=1, commands_burst=5))
    peer = await come(dial, node)
    assert await publish(peer) == 0
    assert [await publish(peer) for _ in range(5)] == [111] * 5
    peer.send({"id": 99, "publish": OWN})
    assert (await peer.closed())[0] == 3013


async def test_an_address_over_its_rate_is_refused_whoever_its_clients_are(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(address_commands_per_s=0.1, address_commands_burst=4))
    carol, dave = await come(dial, node), await come(dial, node, "dave")
    assert [await publish(peer) for peer in (carol, dave, carol, dave)] == [0, 0, 111, 111]


async def test_pongs_are_not_charged_to_the_user(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(**secure(user_commands_per_s=0.1, user_commands_burst=1))
    peer = await come(dial, node)
    for _ in range(5):
        peer.send({})
    assert await publish(peer) == 0


async def test_large_messages_of_a_user_are_read_at_its_rate(start_node: StartNode, dial: Dial) -> None:
    limits = {"user_bytes_per_s": 100_000.0, "user_bytes_burst": 64 * 1024}
    node = await start_node(**secure(**limits))
    first, second = [await come(dial, node) for _ in range(2)]
    dave = await come(dial, node, "dave")
    large = {"channel": "plain:a", "data": "x" * 50_000}
    for number in range(4):
        first.send({"id": 10 + number, "publish": large})
        second.send({"id": 10 + number, "publish": large})
    assert await publish(dave) == 0
    assert node.stats.published < 9
    await eventually(lambda: node.stats.published == 9)


@pytest.mark.parametrize("setting", ["user_subscriptions_max", "address_subscriptions_max"])
async def test_subscriptions_are_shared_and_given_back(start_node: StartNode, dial: Dial, setting: str) -> None:
    node = await start_node(**secure(**{setting: 2}))
    first, second = [await come(dial, node) for _ in range(2)]
    assert await subscribe(node, first, "plain:a") == 0
    assert await subscribe(node, second, "plain:a") == 0
    assert await subscribe(node, first, "plain:b") == 106
    await second.ask(unsubscribe={"channel": "plain:a"})
    assert await subscribe(node, first, "plain:b") == 0
    first.abort()
    await eventually(lambda: len(node.clients.registry) == 1)
    assert [await subscribe(node, second, name) for name in ("plain:a", "plain:b", "plain:c")] == [0, 0, 106]


async def subscribe(node: ChannelNode, peer: Peer, channel: str) -> int:
    answer: dict[str, Any] = await peer.ask(subscribe={"channel": channel})
    return int(answer.get("error", {}).get("code", 0))
