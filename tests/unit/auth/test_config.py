"""Settings of tokens: what contradicts itself, or could check nothing, is refused."""

from pathlib import Path

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.static_keys import key_files, read_key_texts
from ringway.errors import ConfigError

KEY = "k" * 32

REFUSED = {
    "audience twice": ({"hmac_secret_key": KEY, "audience": "a", "audience_regex": "b"}, "audience and audience_regex"),
    "issuer twice": ({"hmac_secret_key": KEY, "issuer": "a", "issuer_regex": "b"}, "issuer and issuer_regex"),
    "no regular expression": ({"hmac_secret_key": KEY, "issuer_regex": "("}, "issuer_regex is '\\('"),
    "claim": ({"hmac_secret_key": KEY, "user_id_claim": "a b"}, "user_id_claim is 'a b'"),
    "endpoint": ({"jwks_public_endpoint": "ftp://h/keys"}, "must begin with https://"),
    "credentials": ({"jwks_public_endpoint": "https://u:p@h/keys"}, "holds credentials"),
    "previous secret alone": ({"hmac_previous_secret_key": KEY, "rsa_public_key": "x"}, "give the new secret too"),
    "rules without a key": ({"issuer": "https://issuer.example"}, "no key that they are for"),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("section", [TokenConfig, SubscriptionTokenConfig])
def test_settings_that_cannot_be_meant_are_refused(section: type, given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        section(**given)


def test_without_settings_there_is_no_key() -> None:
    assert not TokenConfig().has_key
    assert not SubscriptionTokenConfig().has_key
    assert TokenConfig(jwks_public_endpoint="https://h/keys").has_key
    assert TokenConfig(eddsa_public_key_file="/key.pem").has_key


def test_files_are_read_and_settings_hide_them(tmp_path: Path) -> None:
    (tmp_path / "new").write_text(f" {KEY}\n")
    (tmp_path / "old").write_text("")
    config = TokenConfig(
        hmac_secret_key_file=str(tmp_path / "new"),
        hmac_previous_secret_key_file=str(tmp_path / "old"),
        rsa_public_key="pem",
        rsa_public_key_file="/none",
    )
    texts = read_key_texts("token", config)
    assert texts.texts == {"hmac_secret_key": KEY, "rsa_public_key": "pem"}
    assert key_files(config) == [str(tmp_path / "new"), str(tmp_path / "old")]


def test_files_that_cannot_be_read_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    config = TokenConfig(hmac_secret_key_file=str(tmp_path / "empty"), ecdsa_public_key_file="/none")
    with pytest.raises(ConfigError) as refused:
        read_key_texts("token", config)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "token.hmac_secret_key_file",
        "token.ecdsa_public_key_file",
    ]
