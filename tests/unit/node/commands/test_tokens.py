"""Claims of tokens as credentials and rights, and the codes of tokens that are not good."""

import json
from math import inf
from typing import Any

import msgspec
import pytest

from ringway.core.credentials import Credentials
from ringway.errors import CommandError, KeyUnknown, ProtocolError, TokenExpired, TokenInvalid
from ringway.node.commands.tokens import TokenChecks, credentials_of, refreshed, rights_of
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims
from ringway.types import Channel

NOW = 1000.0
CAROL = Credentials("carol")
ROOM = Channel("room")


class Verifier:
    """Says of each token what the test has prepared; `fetches` are the fetches of keys so far."""

    def __init__(self, **outcomes: object) -> None:
        self.outcomes = outcomes
        self.fetches = 0
        self.asked: list[str] = []

    def verify_connection(self, token: str, now: float) -> Any:
        self.asked.append(token)
        outcome = self.outcomes[token]
        if isinstance(outcome, KeyUnknown) and self.fetches:
            outcome = self.outcomes["later"]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    verify_subscription = verify_connection

    async def refresh_keys(self) -> None:
        self.fetches += 1


def checks(**outcomes: object) -> tuple[TokenChecks, Verifier]:
    verifier = Verifier(**outcomes)
    return TokenChecks(verifier, lambda: NOW), verifier  # type: ignore[arg-type]


def connection(**claims: object) -> ConnectionClaims:
    return msgspec.json.decode(json.dumps(claims).encode(), type=ConnectionClaims)


def subscription(**claims: object) -> SubscriptionClaims:
    return msgspec.json.decode(json.dumps({"channel": "room", **claims}).encode(), type=SubscriptionClaims)


def code_of(error: pytest.ExceptionInfo[Any]) -> int:
    return error.value.close_code if isinstance(error.value, ProtocolError) else error.value.code


@pytest.mark.parametrize(
    ("check", "error", "code"),
    [
        ("check_connection", TokenInvalid("forged"), 3500),
        ("check_connection", TokenExpired("over"), 109),
        ("check_refresh", TokenInvalid("forged"), 3500),
        ("check_refresh", TokenExpired("over"), 110),
        ("check_subscription", TokenInvalid("forged"), 103),
        ("check_subscription", TokenExpired("over"), 109),
        ("check_ahead", TokenInvalid("forged"), 103),
        ("check_sub_refresh", TokenInvalid("forged"), 3500),
        ("check_sub_refresh", TokenExpired("over"), 110),
    ],
)
def test_a_token_that_is_not_good_has_a_code_and_no_reason(check: str, error: Exception, code: int) -> None:
    tokens, _ = checks(t=error)
    with pytest.raises((ProtocolError, CommandError)) as caught:
        getattr(tokens, check)("t")
    assert code_of(caught) == code
    assert str(error) not in str(caught.value)


def test_without_a_key_no_token_is_good() -> None:
    tokens = TokenChecks(None, lambda: NOW)
    assert not tokens.has_key
    with pytest.raises(ProtocolError) as caught:
        tokens.check_connection("t")
    assert code_of(caught) == 3500


async def test_keys_are_fetched_once_for_a_token_whose_key_is_not_known() -> None:
    claims = connection(sub="carol")
    tokens, verifier = checks(t=KeyUnknown("k9"), later=claims)
    with pytest.raises(KeyUnknown):
        tokens.check_connection("t")
    assert await tokens.with_new_keys(tokens.check_connection, "t") is claims
    assert verifier.fetches == 1


async def test_a_key_that_is_not_known_after_that_is_not_good() -> None:
    tokens, _ = checks(t=KeyUnknown("k9"), later=KeyUnknown("k9"))
    with pytest.raises(ProtocolError) as caught:
        await tokens.with_new_keys(tokens.check_connection, "t")
    assert code_of(caught) == 3500


def test_a_token_that_was_checked_ahead_is_not_checked_again() -> None:
    tokens, verifier = checks(t=subscription(sub="carol"))
    assert tokens.check_ahead("t") is tokens.check_subscription("t")
    assert verifier.asked == ["t"]
    tokens.check_subscription("t")
    assert verifier.asked == ["t", "t"]


def test_one_whose_time_is_over_meanwhile_is_checked_again() -> None:
    tokens, verifier = checks(t=subscription(sub="carol", exp=NOW - 1))
    tokens.check_ahead("t")
    tokens.check_subscription("t")
    assert verifier.asked == ["t", "t"]


def test_credentials_are_by_the_claims() -> None:
    claims = connection(sub="carol", exp=2000, iat=900, jti="j1", info={"name": "Carol"}, meta={"plan": "free"})
    assert credentials_of(claims, NOW, expires=True) == Credentials(
        "carol", b'{"name":"Carol"}', b'{"plan":"free"}', 2000.0, 900.0, "j1", NOW
    )
    assert credentials_of(claims, NOW, expires=False).expires_at == inf


@pytest.mark.parametrize("claims", [{"info": "x" * 5000}, {"meta": "x" * 5000}], ids=["long info", "long meta"])
def test_claims_beyond_a_bound_are_not_good(claims: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        credentials_of(connection(sub="carol", **claims), NOW, expires=True)
    assert code_of(caught) == 3500


def test_a_refresh_is_of_the_same_user() -> None:
    fresh = refreshed(
        msgspec.structs.replace(CAROL, meta=b"1", connected_at=7.0), connection(sub="carol", exp=3000), expires=True
    )
    assert (fresh.expires_at, fresh.meta, fresh.connected_at) == (3000.0, b"1", 7.0)
    with pytest.raises(ProtocolError) as caught:
        refreshed(CAROL, connection(sub="dave"), expires=True)
    assert code_of(caught) == 3500


def test_rights_are_of_one_channel_one_user_and_perhaps_one_client() -> None:
    rights = rights_of(subscription(sub="carol", exp=2000, info=[1, 2]), CAROL, "c1", ROOM, NOW, expires=True)
    assert (rights.info, rights.expires_at, rights.is_server_side) == (b"[1,2]", 2000.0, False)
    assert rights_of(subscription(sub="carol", client="c1"), CAROL, "c1", ROOM, NOW, expires=True).info == b""


@pytest.mark.parametrize(
    "claims",
    [{"channel": "other"}, {"sub": "dave"}, {"sub": ""}, {"client": "c2"}, {"info": "x" * 5000}],
    ids=["another channel", "another user", "no user", "another client", "a long info"],
)
def test_the_token_of_somebody_else_gives_none(claims: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        rights_of(subscription(**{"sub": "carol", **claims}), CAROL, "c1", ROOM, NOW, expires=True)
    assert code_of(caught) == 3500
