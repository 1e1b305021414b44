"""Tokens at a node whose keys are at a real HTTP server: a command whose key is unknown waits until it was fetched."""

import time
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.node.server import ChannelNode
from support.key_pairs import EC_KEY, OTHER_RSA_KEY, RSA_KEY, public_jwk, sign
from support.key_set_server import KeySetServer, key_set_server

CHANNEL = "chat:room"


@pytest.fixture
async def keys() -> AsyncIterator[KeySetServer]:
    async with key_set_server(public_jwk(RSA_KEY, "first")) as server:
        yield server


class Clock:
    """The verifier's clock, which the test moves past the least time between two reads."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def node(start_node: StartNode, keys: KeySetServer, clock: Clock) -> ChannelNode:
    token = TokenConfig(jwks_public_endpoint=keys.url)
    verifier = make_verifier(token, SubscriptionTokenConfig(), Random(1), clock)
    return await start_node(insecure=False, namespaces=("chat:history_size=0",), verifier=verifier)


def token_of(key: Any = RSA_KEY, alg: str = "RS256", kid: str = "first", **claims: Any) -> str:
    return sign({"sub": "carol", "exp": int(time.time()) + 3600, **claims}, key, alg, kid=kid)


async def test_connect_waits_for_a_key_that_is_not_known_yet(node: ChannelNode, dial: Dial, keys: KeySetServer) -> None:
    peer = await dial(node)
    assert "connect" in await peer.ask(connect={"token": token_of()})
    assert keys.asked == 1
    assert [connection.client for connection in node.clients.registry.of_user("carol")]


@pytest.mark.parametrize("command", ["subscribe", "refresh", "sub_refresh"])
async def test_later_commands_wait_for_a_new_key_too(
    node: ChannelNode, dial: Dial, keys: KeySetServer, clock: Clock, command: str
) -> None:
    peer = await dial(node)
    assert "connect" in await peer.ask(connect={"token": token_of()})
    if command == "sub_refresh":
        assert "subscribe" in await peer.ask(subscribe={"channel": CHANNEL, "token": token_of(channel=CHANNEL)})
    keys.keys.append(public_jwk(EC_KEY, "second"))
    clock.now += 60.0
    claims = {} if command == "refresh" else {"channel": CHANNEL}
    reply = await peer.ask(**{command: {**claims, "token": token_of(EC_KEY, "ES256", "second", **claims)}})
    assert command in reply
    assert keys.asked == 2


async def test_a_token_whose_key_does_not_come_is_refused(node: ChannelNode, dial: Dial, keys: KeySetServer) -> None:
    peer = await dial(node)
    peer.send({"id": 1, "connect": {"token": token_of(OTHER_RSA_KEY, kid="never")}})
    assert await peer.closed() == (3500, "invalid token")
    assert keys.asked == 1
