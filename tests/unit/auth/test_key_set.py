"""Key sets: which keys of them are used, and that a set that cannot be used is refused whole."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from ringway.auth.key_set import KEYS_MAX, Keys, KeySetUnusable, read_key_set
from support.key_pairs import EC_KEY, ED_KEY, OTHER_RSA_KEY, RSA_KEY, public_jwk

GOOD = public_jwk(RSA_KEY, "good")
WEAK = rsa.generate_private_key(65537, 1024)
AGREEMENT = {"kty": "OKP", "crv": "X25519", "x": "A" * 43}


def read(*keys: Any) -> tuple[Keys, list[str]]:
    return read_key_set(json.dumps({"keys": keys}).encode())


def test_keys_of_all_kinds_are_read_by_their_names() -> None:
    keys, problems = read(public_jwk(RSA_KEY, "r"), public_jwk(EC_KEY, "e", use="sig"), public_jwk(ED_KEY, "d"))
    assert {kid: [key.algorithms for key in found] for kid, found in keys.items()} == {
        "r": [("RS256", "RS384", "RS512")],
        "e": [("ES256",)],
        "d": [("EdDSA",)],
    }
    assert problems == []


def test_a_key_that_names_its_algorithm_is_for_that_one_alone() -> None:
    keys, _ = read(public_jwk(RSA_KEY, "r", alg="RS384"))
    assert [key.algorithms for key in keys["r"]] == [("RS384",)]


def test_keys_of_one_name_are_all_kept() -> None:
    keys, _ = read(public_jwk(RSA_KEY, "same"), public_jwk(OTHER_RSA_KEY, "same"), public_jwk(EC_KEY, "same"))
    assert len(keys["same"]) == 3


PASSED_OVER: dict[str, tuple[dict[str, Any], str]] = {
    "for encryption": (public_jwk(RSA_KEY, "x", use="enc"), "not for signatures"),
    "for other operations": (public_jwk(RSA_KEY, "x", key_ops=["encrypt"]), "not for signatures"),
    "operations of no list": (public_jwk(RSA_KEY, "x", key_ops="verify"), "not for signatures"),
    "without a name": ({name: text for name, text in GOOD.items() if name != "kid"}, "has no kid"),
    "with an empty name": ({**GOOD, "kid": ""}, "has no kid"),
    "with a number for a name": ({**GOOD, "kid": 7}, "has no kid"),
    "a secret": ({"kty": "oct", "kid": "x", "k": "AAAA"}, "was published"),
    "a private key": ({**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "x"}, "was published"),
    "of an unknown kind": ({"kty": "AKP", "kid": "x"}, "RSA, EC and OKP"),
    "of a kind in a list": ({"kty": ["RSA"], "kid": "x"}, "RSA, EC and OKP"),
    "for an algorithm in a list": ({**GOOD, "kid": "x", "alg": ["RS256"]}, "the algorithm ['RS256']"),
    "of no kind": ({"kid": "x"}, "RSA, EC and OKP"),
    "short": (public_jwk(WEAK, "x"), "1024 bits"),
    "without its number": ({"kty": "RSA", "kid": "x", "e": "AQAB"}, "cannot be read"),
    "with a number of no base64": ({**GOOD, "kid": "x", "n": "%"}, "key 'x'"),
    "with a list for a number": ({**GOOD, "kid": "x", "n": [1]}, "cannot be read"),
    "a point off its curve": ({**public_jwk(EC_KEY, "x"), "x": public_jwk(EC_KEY, "x")["y"]}, "key 'x'"),
    "that cannot sign": ({**AGREEMENT, "kid": "x"}, "key 'x'"),
    "for none": ({**GOOD, "kid": "x", "alg": "none"}, "the algorithm 'none'"),
    "for HS256": ({**GOOD, "kid": "x", "alg": "HS256"}, "the algorithm 'HS256'"),
}


@pytest.mark.parametrize(("jwk", "why"), PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_key_that_proves_nothing_is_passed_over(jwk: dict[str, Any], why: str) -> None:
    keys, problems = read(jwk, GOOD)
    assert list(keys) == ["good"]
    assert len(problems) == 1
    assert why in problems[0]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b'{"keys":[]}', b"\xff", b'{"keys":' + b"[" * 9999],
    ids=["nothing", "a page", "a list", "no keys", "an object", "a number", "an empty set", "no UTF-8", "nested deep"],
)
def test_what_is_no_set_is_refused(body: bytes) -> None:
    with pytest.raises(KeySetUnusable):
        read_key_set(body)


def test_a_set_without_a_usable_key_says_why() -> None:
    with pytest.raises(KeySetUnusable, match="not for signatures"):
        read(public_jwk(RSA_KEY, "x", use="enc"))


def test_a_set_has_a_bound() -> None:
    jwk = public_jwk(ED_KEY, "x")
    assert len(read(*[{**jwk, "kid": str(number)} for number in range(KEYS_MAX)])[0]) == KEYS_MAX
    with pytest.raises(KeySetUnusable, match="at most 100"):
        read(*[{**jwk, "kid": str(number)} for number in range(KEYS_MAX + 1)])
