"""Key sets of a real HTTP server: read when a key is unknown, within bounds, and kept while the server is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.key_set import SET_BYTES_MAX
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.errors import ConfigError, KeyUnknown, TokenInvalid
from support.key_pairs import EC_KEY, OTHER_RSA_KEY, RSA_KEY, public_jwk, sign
from support.key_set_server import KeySetServer, key_set_server
from support.log_capture import capture_logs
from support.tokens import NOW, make_token

CLAIMS = {"sub": "42", "exp": int(NOW) + 3600}
FIRST = sign(CLAIMS, RSA_KEY, "RS256", kid="first")
SECOND = sign(CLAIMS, EC_KEY, "ES256", kid="second")
PATIENCE_S = 90.0


class World:
    """A verifier over a server with a key set, with a clock that the test moves."""

    def __init__(self, server: KeySetServer, **settings: Any) -> None:
        self.server = server
        self.now = 1000.0
        config = TokenConfig(jwks_public_endpoint=server.url, **settings)
        made = make_verifier(config, SubscriptionTokenConfig(), Random(1), lambda: self.now)
        assert made is not None
        self.verifier: TokenVerifier = made

    def user(self, token: str) -> str:
        return self.verifier.verify_connection(token, NOW).sub

    async def wait_for(self, reached) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not reached():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def world_of(*keys: dict[str, Any], **settings: Any) -> AsyncIterator[World]:
    async with key_set_server(*keys) as server:
        yield World(server, **settings)


async def test_a_key_is_read_when_it_is_first_needed() -> None:
    async with world_of(public_jwk(RSA_KEY, "first"), public_jwk(EC_KEY, "second")) as world:
        with pytest.raises(KeyUnknown):
            world.user(FIRST)
        await world.verifier.refresh_keys()
        assert (world.user(FIRST), world.user(SECOND)) == ("42", "42")
        assert world.server.asked == 1


async def test_unknown_keys_cause_one_read_in_each_interval() -> None:
    async with world_of(public_jwk(RSA_KEY, "first"), jwks_interval_s=10.0) as world:
        await world.verifier.refresh_keys()
        for number in range(20):
            with pytest.raises(TokenInvalid, match="not in the key set") as refused:
                world.user(sign(CLAIMS, OTHER_RSA_KEY, "RS256", kid=f"forged-{number}"))
            assert not isinstance(refused.value, KeyUnknown)
            await world.verifier.refresh_keys()
        assert world.server.asked == 1
        world.now += 10.0
        with pytest.raises(KeyUnknown):
            world.user(SECOND)
        world.server.keys.append(public_jwk(EC_KEY, "second"))
        await world.verifier.refresh_keys()
        assert world.user(SECOND) == "42"
        assert world.server.asked == 2


async def test_all_who_wait_share_one_read_and_nobody_ends_it_for_the_others() -> None:
    async with world_of(public_jwk(RSA_KEY, "first")) as world:
        world.server.may_answer.clear()
        waiting = [asyncio.create_task(world.verifier.refresh_keys()) for _ in range(50)]
        await world.wait_for(lambda: world.server.asked)
        with pytest.raises(KeyUnknown):
            world.user(FIRST)
        for task in waiting[:49]:
            task.cancel()
        await asyncio.wait(waiting[:49])
        world.server.may_answer.set()
        await waiting[49]
        assert world.user(FIRST) == "42"
        assert world.server.asked == 1


async def test_the_last_keys_are_used_while_the_server_is_away_but_not_for_ever() -> None:
    async with world_of(public_jwk(RSA_KEY, "first"), jwks_stale_s=600, jwks_refresh_s=60) as world:
        await world.verifier.refresh_keys()
        world.server.status = 503
        with capture_logs() as logs:
            for _ in range(5):
                world.now += 100
                await world.verifier.refresh_keys()
                assert world.user(FIRST) == "42"
        assert [log["log_level"] for log in logs] == ["warning"], "the log says it once"
        assert "answered 503" in logs[0]["why"]
        world.now += 161
        with pytest.raises(TokenInvalid):
            world.user(FIRST)
        world.server.status = 200
        world.now += 100
        await world.verifier.refresh_keys()
        assert world.user(FIRST) == "42"


async def test_a_key_that_was_taken_out_is_not_believed_after_the_next_read() -> None:
    async with world_of(public_jwk(RSA_KEY, "first")) as world:
        await world.verifier.refresh_keys()
        assert world.user(FIRST) == "42"
        world.server.keys = [public_jwk(EC_KEY, "second")]
        world.now += 1000
        await world.verifier.refresh_keys()
        assert world.user(SECOND) == "42"
        with pytest.raises(TokenInvalid):
            world.user(FIRST)


WRONG = {
    "no set": {"body": b"<html>login</html>"},
    "an empty set": {"body": b'{"keys":[]}'},
    "no end of bytes": {"body": b'{"keys":[' + b" " * SET_BYTES_MAX + b"]}"},
    "a fault": {"status": 500},
    "a redirect": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/keys"}},
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_an_answer_that_will_not_do_changes_nothing(answer: dict[str, Any]) -> None:
    async with world_of(public_jwk(RSA_KEY, "first")) as world:
        await world.verifier.refresh_keys()
        for name, value in answer.items():
            setattr(world.server, name, value)
        world.now += 1000
        await world.verifier.refresh_keys()
        assert world.server.asked == 2
        assert world.user(FIRST) == "42"


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    async with world_of(public_jwk(RSA_KEY, "first"), jwks_timeout_s=0.1) as world:
        world.server.may_answer.clear()
        with capture_logs() as logs:
            await world.verifier.refresh_keys()
        assert "no answer within 0.1 s" in logs[0]["why"]
        assert "no key was read yet" in logs[0]["event"]


async def test_keys_are_read_in_the_background_again_and_again() -> None:
    async with world_of(public_jwk(RSA_KEY, "first"), jwks_refresh_s=1, jwks_interval_s=0.1) as world:
        running = asyncio.create_task(world.verifier.run())
        await world.wait_for(lambda: world.server.asked)
        world.server.keys.append(public_jwk(EC_KEY, "second"))
        world.now += 10

        def is_known() -> bool:
            with suppress(TokenInvalid):
                return world.user(SECOND) == "42"
            world.now += 1
            return False

        await world.wait_for(is_known)
        running.cancel()
        await asyncio.wait([running])


async def test_a_token_needs_the_name_of_its_key_and_an_algorithm_of_that_key() -> None:
    async with world_of(public_jwk(RSA_KEY, "first")) as world:
        await world.verifier.refresh_keys()
        for token in (
            sign(CLAIMS, RSA_KEY, "RS256"),
            sign(CLAIMS, EC_KEY, "ES256", kid="first"),
            sign(CLAIMS, OTHER_RSA_KEY, "RS256", kid="first"),
            make_token(CLAIMS, b"x" * 32, header={"alg": "HS256", "kid": "first"}),
        ):
            with pytest.raises(TokenInvalid) as refused:
                world.user(token)
            assert not isinstance(refused.value, KeyUnknown)


def test_an_endpoint_without_tls_is_refused_unless_it_is_wanted() -> None:
    url = "http://issuer.example/keys"
    with pytest.raises(ConfigError, match="jwks_plain_http"):
        make_verifier(TokenConfig(jwks_public_endpoint=url), SubscriptionTokenConfig(), Random(1))
    made = make_verifier(
        TokenConfig(jwks_public_endpoint=url, jwks_plain_http=True), SubscriptionTokenConfig(), Random(1)
    )
    assert made is not None
    for host in ("localhost", "127.0.0.1", "[::1]"):
        there = TokenConfig(jwks_public_endpoint=f"http://{host}:8080/keys")
        assert make_verifier(there, SubscriptionTokenConfig(), Random(1)) is not None


def test_certificates_that_cannot_be_read_are_refused() -> None:
    config = TokenConfig(jwks_public_endpoint="https://issuer.example/keys", jwks_ca_file="/none.pem")
    with pytest.raises(ConfigError, match=r"/none\.pem"):
        make_verifier(config, SubscriptionTokenConfig(), Random(1))
