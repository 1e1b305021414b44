"""The Python client with a token: shown, fetched anew when its time is over, and refreshed before that."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

import ringway
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.engine.memory.engine import MemoryHub
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation, NodeName
from support.tokens import SECRET, make_token

pytestmark = pytest.mark.timeout(60)

NAMESPACES = ("default:history_size=0,allow_subscribe_for_client=true,allow_publish_for_client=true",)


@asynccontextmanager
async def secure_node(**settings: object) -> AsyncIterator[ChannelNode]:
    given = {"stop_deadline_s": 1.0, "namespaces": NAMESPACES, **settings}
    verifier = make_verifier(TokenConfig(hmac_secret_key=SECRET.decode()), SubscriptionTokenConfig(), Random(1))
    node = ChannelNode(
        NodeConfig(**given),  # type: ignore[arg-type]
        NodeName("n1"),
        Incarnation("00000001"),
        MemoryHub().open(),
        Keyring(b"secret"),
        verifier=verifier,
    )
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


class Issuer:
    """Issues tokens that live `lives_s`, one after the other."""

    def __init__(self, *lives_s: float) -> None:
        self._lives_s = list(lives_s)
        self.issued = 0

    async def __call__(self) -> str:
        self.issued += 1
        lives_s = self._lives_s.pop(0) if len(self._lives_s) > 1 else self._lives_s[0]
        return make_token({"sub": "carol", "exp": time.time() + lives_s})


async def test_a_token_is_shown() -> None:
    async with secure_node() as node, ringway.Client(node.url, token=make_token({"sub": "carol"})) as client:
        await client.publish("room", 1)
        assert len(node.clients.registry.of_user("carol")) == 1


async def test_without_a_token_the_client_is_over() -> None:
    async with secure_node() as node:
        with pytest.raises(ringway.ConnectionClosed, match="no token"):
            await ringway.Client(node.url).open()


async def test_a_token_whose_time_is_over_is_fetched_anew() -> None:
    issuer = Issuer(-1.0, 100.0)
    async with secure_node() as node, ringway.Client(node.url, token=issuer) as client:
        await client.publish("room", 1)
    assert issuer.issued == 2


async def test_a_token_that_cannot_be_fetched_anew_ends_the_client() -> None:
    async with secure_node() as node:
        with pytest.raises(ringway.CommandError, match="token expired"):
            await ringway.Client(node.url, token=make_token({"sub": "carol", "exp": 1.0})).open()


async def test_a_client_goes_on_by_new_tokens() -> None:
    issuer = Issuer(2.0, 2.0, 100.0)
    async with secure_node(expired_close_delay_s=1.0) as node, ringway.Client(node.url, token=issuer) as client:
        (before,) = node.clients.registry.of_user("carol")
        async with asyncio.timeout(30):
            while issuer.issued < 3 or before.credentials.expires_at < time.time() + 50:
                await asyncio.sleep(0.05)
        await client.publish("room", 1)
        assert node.clients.registry.of_user("carol") == [before]
