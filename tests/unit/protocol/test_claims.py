"""Claims of tokens: types, sizes, times, and the two kinds that must not pass for each other."""

import base64
import json
import math
from typing import Any

import pytest

from ringway.errors import TokenExpired, TokenInvalid
from ringway.protocol.claims import (
    CHANNELS_MAX,
    USER_CHARS_MAX,
    ConnectionClaims,
    check_times,
    read_connection_claims,
    read_subscription_claims,
)
from support.tokens import NOW

FULL: dict[str, Any] = {
    "sub": "42",
    "exp": NOW + 60,
    "nbf": NOW - 60,
    "iat": NOW - 60,
    "jti": "t-1",
    "aud": ["chat", "feed"],
    "iss": "https://issuer.example",
    "info": {"name": "Zoë"},
    "channels": ["news"],
    "subs": {"chat:1": {"info": {"role": "host"}, "override": {"presence": {"value": True}}}},
    "meta": {"plan": "pro"},
    "unknown": [1, 2],
}


def read(**claims: Any) -> ConnectionClaims:
    return read_connection_claims(json.dumps(claims).encode())


def test_all_claims_of_a_connection_are_read() -> None:
    claims = read(**FULL)
    assert (claims.sub, claims.jti, claims.iss, claims.audience) == ("42", "t-1", FULL["iss"], ("chat", "feed"))
    assert (claims.expires_at, claims.issued_at) == (NOW + 60, NOW - 60)
    assert json.loads(claims.shown_info) == {"name": "Zoë"}
    assert json.loads(claims.hidden_meta) == {"plan": "pro"}
    assert claims.channels == ("news",)
    sub = claims.subs["chat:1"]
    assert json.loads(sub.channel_info) == {"role": "host"}
    assert sub.override is not None
    assert sub.override.presence is not None
    assert sub.override.presence.value is True
    assert sub.override.join_leave is None


def test_a_token_without_claims_is_of_an_anonymous_client_that_never_ends() -> None:
    claims = read()
    assert (claims.sub, claims.expires_at, claims.issued_at, claims.audience) == ("", math.inf, 0.0, ())
    assert (claims.shown_info, claims.hidden_meta, claims.channels, claims.subs) == (b"", b"", (), {})


def test_all_claims_of_a_subscription_are_read() -> None:
    raw = json.dumps({"sub": "42", "channel": "$news", "client": "c-1", "info": 1, "expire_at": 0}).encode()
    claims = read_subscription_claims(raw)
    assert (claims.sub, claims.channel, claims.client, claims.shown_info) == ("42", "$news", "c-1", b"1")
    assert claims.expires_at == math.inf


def test_info_may_come_in_base64() -> None:
    encoded = base64.b64encode(b'{"name":1}').decode()
    assert read(b64info=encoded).shown_info == b'{"name":1}'
    claims = read(subs={"a": {"b64info": encoded, "b64data": encoded}})
    assert (claims.subs["a"].channel_info, claims.subs["a"].first_data) == (b'{"name":1}', b'{"name":1}')


def test_null_stands_for_no_value() -> None:
    claims = read(info=None, meta=None, exp=None, iat=None)
    assert (claims.shown_info, claims.hidden_meta, claims.expires_at) == (b"", b"", math.inf)


@pytest.mark.parametrize(
    ("given", "ends"),
    [({"exp": 5}, 5), ({"exp": 5, "expire_at": 9}, 9), ({"exp": 5, "expire_at": 0}, math.inf), ({"expire_at": 7}, 7)],
    ids=["exp alone", "expire_at decides", "expire_at 0 is never", "expire_at alone"],
)
def test_the_connection_ends_by_expire_at_or_else_by_exp(given: dict[str, float], ends: float) -> None:
    assert read(**given).expires_at == ends


WRONG: dict[str, dict[str, Any]] = {
    "user as a number": {"sub": 42},
    "user that is null": {"sub": None},
    "user in a list": {"sub": ["42"]},
    "a long user": {"sub": "u" * (USER_CHARS_MAX + 1)},
    "a line feed in the user": {"sub": "42\r\nX-Admin: 1"},
    "a NUL in the user": {"sub": "42\0"},
    "end as a text": {"exp": "1800000000"},
    "end as a switch": {"exp": True},
    "end below zero": {"exp": -1},
    "end in milliseconds": {"exp": NOW * 1000},
    "end beyond all numbers": {"exp": 10**400},
    "begin as a list": {"nbf": [NOW]},
    "time of issue as an object": {"iat": {}},
    "id as a number": {"jti": 7},
    "audience as an object": {"aud": {"chat": 1}},
    "audience with a number": {"aud": ["chat", 1]},
    "too many audiences": {"aud": ["a"] * 33},
    "issuer in a list": {"iss": ["https://issuer.example"]},
    "channels as a text": {"channels": "news"},
    "an empty channel": {"channels": [""]},
    "too many channels": {"channels": ["a"] * (CHANNELS_MAX + 1)},
    "too many subscriptions": {"subs": {str(number): {} for number in range(CHANNELS_MAX + 1)}},
    "subscriptions in a list": {"subs": ["news"]},
    "an option without value": {"subs": {"a": {"override": {"presence": {}}}}},
    "info in no base64": {"b64info": "%"},
    "info of no JSON in base64": {"b64info": base64.b64encode(b"x").decode()},
    "info of a channel of no JSON": {"subs": {"a": {"b64info": base64.b64encode(b"x").decode()}}},
    "a subscription token": {"sub": "42", "channel": "news"},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_wrong_claims_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        read(**claims)


def test_half_a_surrogate_pair_is_no_user() -> None:
    with pytest.raises(TokenInvalid):
        read_connection_claims(b'{"sub":"\\ud800"}')


@pytest.mark.parametrize("claims", [{}, {"channel": ""}, {"channel": 1}], ids=["none", "empty", "a number"])
def test_a_subscription_token_names_its_channel(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        read_subscription_claims(json.dumps({"sub": "42", **claims}).encode())


def test_the_user_may_be_in_a_claim_of_its_own() -> None:
    raw = b'{"sub":"x","https://app.example/uid":"42","channel":"news"}'
    assert read_subscription_claims(raw, "https://app.example/uid").sub == "42"
    assert read_connection_claims(b'{"sub":"x","uid":"42"}', "uid").sub == "42"
    for wrong in (b'{"sub":"x"}', b'{"uid":42}', b'{"uid":null}', b'{"uid":"' + b"u" * 257 + b'"}'):
        with pytest.raises(TokenInvalid, match="uid"):
            read_connection_claims(wrong, "uid")


def test_the_end_is_exact_and_the_begin_has_leeway() -> None:
    check_times(read(exp=NOW + 0.001), NOW, 30)
    with pytest.raises(TokenExpired):
        check_times(read(exp=NOW), NOW, 30)
    with pytest.raises(TokenExpired):
        check_times(read(exp=0), NOW, 30)
    with pytest.raises(TokenExpired):
        check_times(read(exp=NOW + 60, expire_at=NOW), NOW, 30)
    with pytest.raises(TokenExpired):
        check_times(read(exp=NOW, expire_at=0), NOW, 30)
    for name in ("nbf", "iat"):
        check_times(read(**{name: NOW + 30}), NOW, 30)
        with pytest.raises(TokenInvalid, match=name):
            check_times(read(**{name: NOW + 30.1}), NOW, 30)
