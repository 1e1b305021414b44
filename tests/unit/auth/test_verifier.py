"""The verifier: what is believed, by which key, until when, and for whom."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.errors import ConfigError, TokenExpired, TokenInvalid
from support.key_pairs import EC_KEY, ED_KEY, RSA_KEY, public_pem, sign
from support.tokens import HASHES, NOW, SECRET, make_token

OLD, OTHER = b"the secret from before the change" * 2, b"a secret of nobody here at all here" * 2


def verifier_of(subscription: SubscriptionTokenConfig | None = None, **token: Any) -> TokenVerifier:
    token = token or {"hmac_secret_key": SECRET.decode()}
    made = make_verifier(TokenConfig(**token), subscription or SubscriptionTokenConfig(), Random(1))
    assert made is not None
    return made


def test_without_keys_there_is_no_verifier() -> None:
    assert make_verifier(TokenConfig(), SubscriptionTokenConfig(), Random(1)) is None


@pytest.mark.parametrize("alg", HASHES)
def test_a_token_with_the_secret_is_believed(alg: str) -> None:
    claims = verifier_of().verify_connection(make_token({"sub": "42", "exp": NOW + 1}, alg=alg), NOW)
    assert (claims.sub, claims.expires_at) == ("42", NOW + 1)


def test_a_token_with_another_secret_is_not() -> None:
    with pytest.raises(TokenInvalid, match="by none of the keys"):
        verifier_of().verify_connection(make_token({"sub": "42"}, OTHER), NOW)


def test_a_token_ends() -> None:
    with pytest.raises(TokenExpired):
        verifier_of().verify_connection(make_token({"sub": "42", "exp": NOW}), NOW)


@pytest.mark.parametrize(
    ("setting", "key", "alg"),
    [
        ("rsa_public_key", RSA_KEY, "RS256"),
        ("rsa_public_key", RSA_KEY, "RS512"),
        ("ecdsa_public_key", EC_KEY, "ES256"),
        ("eddsa_public_key", ED_KEY, "EdDSA"),
    ],
    ids=["RS256", "RS512", "ES256", "EdDSA"],
)
def test_a_token_by_a_private_key_is_believed_by_the_public_one(setting: str, key: Any, alg: str) -> None:
    verifier = verifier_of(**{setting: public_pem(key)})
    assert verifier.verify_connection(sign({"sub": "42"}, key, alg), NOW).sub == "42"
    with pytest.raises(TokenInvalid, match="no key is set for its algorithm"):
        verifier.verify_connection(make_token({"sub": "42"}), NOW)


def test_all_keys_of_the_settings_are_used_side_by_side() -> None:
    verifier = verifier_of(hmac_secret_key=SECRET.decode(), rsa_public_key=public_pem(RSA_KEY))
    assert verifier.verify_connection(make_token({"sub": "1"}), NOW).sub == "1"
    assert verifier.verify_connection(sign({"sub": "2"}, RSA_KEY, "RS384"), NOW).sub == "2"


def test_the_previous_secret_is_accepted_until_its_end() -> None:
    settings = {"hmac_secret_key": SECRET.decode(), "hmac_previous_secret_key": OLD.decode()}
    verifier = verifier_of(**settings, hmac_previous_secret_key_valid_until=int(NOW))
    old = make_token({"sub": "42"}, OLD)
    assert verifier.verify_connection(old, NOW - 0.1).sub == "42"
    with pytest.raises(TokenInvalid):
        verifier.verify_connection(old, NOW)
    assert verifier_of(**settings).verify_connection(old, NOW + 10**9).sub == "42"


def test_a_key_file_that_changes_changes_the_keys(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(OLD)
    verifier = verifier_of(hmac_secret_key_file=str(file))
    assert verifier.files == [str(file)]
    assert not verifier.reread_keys()
    file.write_bytes(SECRET)
    assert verifier.reread_keys()
    assert verifier.verify_connection(make_token({"sub": "42"}), NOW).sub == "42"
    with pytest.raises(TokenInvalid):
        verifier.verify_connection(make_token({"sub": "42"}, OLD), NOW)
    file.write_text("short")
    with pytest.raises(ConfigError, match="has 5 bytes"):
        verifier.reread_keys()
    assert verifier.verify_connection(make_token({"sub": "42"}), NOW).sub == "42"


RULES = {
    "audience": ({"audience": "chat"}, {"aud": "chat"}, {"aud": "feed"}),
    "audience in a list": ({"audience": "chat"}, {"aud": ["feed", "chat"]}, {"aud": ["feed", "chatter"]}),
    "no audience": ({"audience": "chat"}, {"aud": "chat"}, {}),
    "an empty list": ({"audience": "chat"}, {"aud": ["chat"]}, {"aud": []}),
    "audience by pattern": ({"audience_regex": "chat-[0-9]+"}, {"aud": "chat-7"}, {"aud": "chat-7x"}),
    "issuer": ({"issuer": "https://a"}, {"iss": "https://a"}, {"iss": "https://a/"}),
    "no issuer": ({"issuer": "https://a"}, {"iss": "https://a"}, {}),
    "issuer by pattern": ({"issuer_regex": "https://[a-z]+"}, {"iss": "https://abc"}, {"iss": "https://abc.evil"}),
    "pattern before": ({"issuer_regex": "https://[a-z]+"}, {"iss": "https://abc"}, {"iss": "http://x/https://abc"}),
    "pattern and a line feed": ({"issuer_regex": "https://a"}, {"iss": "https://a"}, {"iss": "https://a\n"}),
}


@pytest.mark.parametrize(("rule", "good", "bad"), RULES.values(), ids=RULES)
def test_a_token_is_of_the_issuer_and_for_the_audience(
    rule: dict[str, str], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    verifier = verifier_of(hmac_secret_key=SECRET.decode(), **rule)
    verifier.verify_connection(make_token({"sub": "42", **good}), NOW)
    with pytest.raises(TokenInvalid):
        verifier.verify_connection(make_token({"sub": "42", **bad}), NOW)
    verifier.verify_subscription(make_token({"sub": "42", "channel": "a", **good}), NOW)
    with pytest.raises(TokenInvalid):
        verifier.verify_subscription(make_token({"sub": "42", "channel": "a", **bad}), NOW)


def test_the_two_kinds_do_not_pass_for_each_other() -> None:
    verifier = verifier_of()
    with pytest.raises(TokenInvalid):
        verifier.verify_connection(make_token({"sub": "42", "channel": "news"}), NOW)
    with pytest.raises(TokenInvalid):
        verifier.verify_subscription(make_token({"sub": "42"}), NOW)


def test_subscriptions_have_rules_of_their_own_if_they_have_a_key() -> None:
    own = SubscriptionTokenConfig(hmac_secret_key=OLD.decode(), user_id_claim="uid")
    verifier = verifier_of(own)
    assert verifier.verify_subscription(make_token({"uid": "42", "channel": "a"}, OLD), NOW).sub == "42"
    assert verifier.verify_connection(make_token({"sub": "42"}), NOW).sub == "42"
    with pytest.raises(TokenInvalid):
        verifier.verify_subscription(make_token({"uid": "42", "channel": "a"}), NOW)
    with pytest.raises(TokenInvalid):
        verifier.verify_connection(make_token({"sub": "42"}, OLD), NOW)


def test_a_key_for_subscriptions_alone_admits_to_no_connection() -> None:
    made = make_verifier(TokenConfig(), SubscriptionTokenConfig(hmac_secret_key=SECRET.decode()), Random(1))
    assert made is not None
    with pytest.raises(TokenInvalid):
        made.verify_connection(make_token({"sub": "42"}), NOW)


def test_a_token_may_be_as_long_as_the_setting_says() -> None:
    token = make_token({"sub": "42", "info": "x" * 300})
    assert verifier_of(hmac_secret_key=SECRET.decode(), bytes_max=len(token)).verify_connection(token, NOW)
    with pytest.raises(TokenInvalid, match="bytes_max"):
        verifier_of(hmac_secret_key=SECRET.decode(), bytes_max=len(token) - 1).verify_connection(token, NOW)
