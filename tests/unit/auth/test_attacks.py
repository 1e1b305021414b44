"""Attacks on tokens that are known (RFC 8725, CVEs of libraries): none is accepted."""

import hmac
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.errors import TokenError
from support.key_pairs import EC_KEY, OTHER_RSA_KEY, RSA_KEY, private_pem, public_jwk, public_pem, sign
from support.token_forgery import Forger
from support.tokens import NOW, SECRET, make_token, part

PEM = public_pem(RSA_KEY)
CLAIMS = {"sub": "42", "exp": NOW + 3600}
FORGED = 20_000


@pytest.fixture(scope="module")
def verifier() -> TokenVerifier:
    """A verifier with a key of each kind, so that each could be confused with another."""
    config = TokenConfig(
        hmac_secret_key=SECRET.decode(),
        rsa_public_key=PEM,
        ecdsa_public_key=public_pem(EC_KEY),
    )
    made = make_verifier(config, SubscriptionTokenConfig(), Random(1))
    assert made is not None
    return made


def unsigned(alg: Any, signature: str = "") -> str:
    return f"{part({'alg': alg, 'typ': 'JWT'})}.{part(CLAIMS)}.{signature}"


def with_header(**header: Any) -> str:
    """A token by a secret of the attacker, which its header names or holds."""
    return make_token(CLAIMS, b"a secret of the attacker's choice" * 2, header={"alg": "HS256", **header})


def by_attackers_key(**header: Any) -> str:
    return sign(CLAIMS, OTHER_RSA_KEY, "RS256", **header)


def zero_signature() -> str:
    """r = s = 0 proves everything to a careless implementation of ECDSA (CVE-2022-21449)."""
    head = f"{part({'alg': 'ES256'})}.{part(CLAIMS)}"
    return f"{head}.{part(bytes(64))}"


def der_signature() -> str:
    """ECDSA's signature in the encoding of certificates, which JWS does not have."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    head = f"{part({'alg': 'ES256'})}.{part(CLAIMS)}"
    return f"{head}.{part(EC_KEY.sign(head.encode(), ec.ECDSA(hashes.SHA256())))}"


def re_encoded() -> str:
    """The genuine signature of a token whose claims were written anew with the same meaning."""
    token = make_token(CLAIMS)
    head, _, signature = token.split(".")
    return f"{head}.{part(json.dumps(CLAIMS, indent=1).encode())}.{signature}"


def nested() -> str:
    """A token in a token: the inner one is genuine, the outer one is not."""
    return make_token(make_token(CLAIMS).encode(), b"x" * 40, header={"alg": "HS256", "cty": "JWT"})


def half_a_mac() -> str:
    head, claims, _ = make_token(CLAIMS).split(".")
    mac = hmac.digest(SECRET, f"{head}.{claims}".encode(), "sha256")
    return f"{head}.{claims}.{part(mac[:16])}"


ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg NONE": lambda: unsigned("NONE"),
    "alg nOnE": lambda: unsigned("nOnE"),
    "alg none with a signature": lambda: unsigned("none", make_token(CLAIMS).rpartition(".")[2]),
    "alg none with a blank": lambda: unsigned("none ", "AA"),
    "alg that is empty": lambda: unsigned("", "AA"),
    "alg that is null": lambda: unsigned(None, "AA"),
    "alg in a list": lambda: unsigned(["none", "HS256"], "AA"),
    "alg twice": lambda: make_token(CLAIMS, header=b'{"alg":"none","alg":"HS256"}'),
    "no alg": lambda: make_token(CLAIMS, header={"typ": "JWT"}),
    "the public key as the secret": lambda: make_token(CLAIMS, PEM.encode()),
    "the public key without its last line feed": lambda: make_token(CLAIMS, PEM.strip().encode()),
    "the public key of ECDSA as the secret": lambda: make_token(CLAIMS, public_pem(EC_KEY).encode()),
    "an empty secret": lambda: make_token(CLAIMS, b""),
    "a secret of zeros": lambda: make_token(CLAIMS, bytes(32)),
    "the secret as the key of RS256": lambda: make_token(CLAIMS, header={"alg": "RS256"}),
    "another RSA key": by_attackers_key,
    "RSA signed, ECDSA named": lambda: sign(CLAIMS, RSA_KEY, "RS256").replace(
        part({"alg": "RS256", "typ": "JWT"}), part({"alg": "ES256", "typ": "JWT"})
    ),
    "PSS with the RSA key": lambda: sign(CLAIMS, RSA_KEY, "PS256"),
    "kid as a path": lambda: with_header(kid="../../../../dev/null"),
    "kid as SQL": lambda: with_header(kid="x' UNION SELECT 'secret' --"),
    "kid as a command": lambda: with_header(kid="key|/bin/true"),
    "kid as a list": lambda: make_token(CLAIMS, header={"alg": "HS256", "kid": ["k"]}),
    "a header with a key set's URL": lambda: by_attackers_key(jku="https://attacker.example/keys"),
    "a header with a certificate's URL": lambda: by_attackers_key(x5u="https://attacker.example/cert"),
    "a header with a key": lambda: by_attackers_key(jwk=public_jwk(OTHER_RSA_KEY, "k")),
    "a header with a secret key": lambda: with_header(jwk={"kty": "oct", "k": part(b"x" * 32)}),
    "a header with a certificate": lambda: by_attackers_key(x5c=["MIIB"]),
    "an unknown critical header": lambda: make_token(CLAIMS, header={"alg": "HS256", "crit": ["x"], "x": 1}),
    "claims outside of the signature": lambda: make_token(
        CLAIMS, header={"alg": "HS256", "b64": False, "crit": ["b64"]}
    ),
    "ECDSA with zeros": zero_signature,
    "ECDSA in DER": der_signature,
    "half a MAC": half_a_mac,
    "the claims written anew": re_encoded,
    "a token in a token": nested,
    "the signature cut off": lambda: make_token(CLAIMS).rpartition(".")[0] + ".",
    "two dots": lambda: "..",
    "the form for encrypted tokens": lambda: make_token(CLAIMS) + ".AA.AA",
    "JSON in place of the compact form": lambda: json.dumps({"payload": part(CLAIMS), "signature": "AA"}),
    "a huge token": lambda: make_token({**CLAIMS, "info": "x" * 1_000_000}),
    "a million channels": lambda: make_token({**CLAIMS, "channels": ["a"] * 1_000_000}),
    "deep claims": lambda: make_token(b'{"info":' + b"[" * 6000 + b"]" * 6000 + b"}"),
    "a number without end": lambda: make_token(b'{"exp":' + b"9" * 9000 + b"}"),
    "an end beyond all floats": lambda: make_token(b'{"sub":"42","exp":1e999}'),
    "an end that is no number": lambda: make_token(b'{"sub":"42","exp":NaN}'),
    "an end in quotes": lambda: make_token({"sub": "42", "exp": str(NOW + 3600)}),
    "an end that is true": lambda: make_token({"sub": "42", "exp": True}),
    "an end in a list": lambda: make_token({"sub": "42", "exp": [NOW + 3600]}),
    "an end below zero": lambda: make_token({"sub": "42", "exp": -1}),
    "the end now": lambda: make_token({"sub": "42", "exp": NOW}),
    "the begin after the leeway": lambda: make_token({**CLAIMS, "nbf": NOW + 30.5}),
    "issued after the leeway": lambda: make_token({**CLAIMS, "iat": NOW + 30.5}),
    "two users": lambda: make_token(b'{"sub":"42","sub":"1"}'),
    "two ends": lambda: make_token(b'{"sub":"42","exp":1,"exp":99999999999}'),
    "two users in two spellings": lambda: make_token(b'{"sub":"42","\\u0073ub":"1"}'),
    "a user in a list": lambda: make_token({"sub": ["42"]}),
    "a user as a number": lambda: make_token({"sub": 42}),
    "a line feed in the user": lambda: make_token({"sub": "42\nadmin"}),
    "claims of no UTF-8": lambda: make_token(b'{"sub":"\xff"}'),
    "claims with half a surrogate pair": lambda: make_token(b'{"sub":"\\ud800"}'),
    "claims in UTF-16": lambda: make_token('{"sub":"42"}'.encode("utf-16")),
    "claims of no object": lambda: make_token(b'["sub","42"]'),
    "claims of no JSON": lambda: make_token(b"sub=42"),
    "a private key as the token": lambda: private_pem(RSA_KEY),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_known_attack_is_refused(verifier: TokenVerifier, attack: Callable[[], str]) -> None:
    token = attack()
    for verify in (verifier.verify_connection, verifier.verify_subscription):
        with pytest.raises(TokenError) as refused:
            verify(token, NOW)
        assert str(refused.value)
        assert len(str(refused.value)) < 300, "a reason for the log has a bound, whatever the token says"


def test_what_is_attacked_is_good_without_the_attack(verifier: TokenVerifier) -> None:
    for token in (make_token(CLAIMS), sign(CLAIMS, RSA_KEY, "RS256"), sign(CLAIMS, EC_KEY, "ES256")):
        assert verifier.verify_connection(token, NOW).sub == "42"
    told = {"kid": "any", "jku": "https://issuer.example/keys", "x5t": "AAAA"}
    assert verifier.verify_connection(sign(CLAIMS, RSA_KEY, "RS256", **told), NOW).sub == "42", "they are not read"


def test_none_of_many_forged_expired_cut_and_re_signed_tokens_is_accepted(verifier: TokenVerifier) -> None:
    """`scripts/bench tokens` does the same with a million."""
    forger = Forger(Random(14), PEM)
    accepted = []
    for _ in range(FORGED):
        kind, token = forger.make_next()
        try:
            verifier.verify_connection(token, NOW)
        except TokenError:
            continue
        accepted.append((kind, token))
    assert accepted == []
