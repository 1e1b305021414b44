"""Keys of tokens: each with its own algorithms, and every one that must not be used refused with its remedy."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519

from ringway.auth.config import TokenConfig
from ringway.auth.key import make_public_key, make_secret_key
from ringway.auth.static_keys import make_keys, read_key_texts
from ringway.errors import ConfigError
from support.key_pairs import EC_KEY, ED_KEY, RSA_KEY, private_pem, public_pem
from support.tokens import SECRET

RSA, EC, ED = "token.rsa_public_key", "token.ecdsa_public_key", "token.eddsa_public_key"


def test_each_key_has_its_own_algorithms() -> None:
    assert make_secret_key(SECRET, "s", 32).algorithms == ("HS256", "HS384", "HS512")
    assert make_public_key(public_pem(RSA_KEY), RSA).algorithms == ("RS256", "RS384", "RS512")
    assert make_public_key(public_pem(EC_KEY), EC).algorithms == ("ES256",)
    assert make_public_key(public_pem(ec.generate_private_key(ec.SECP384R1())), EC).algorithms == ("ES384",)
    assert make_public_key(public_pem(ec.generate_private_key(ec.SECP521R1())), EC).algorithms == ("ES512",)
    assert make_public_key(public_pem(ED_KEY), ED).algorithms == ("EdDSA",)
    assert make_public_key(public_pem(ed448.Ed448PrivateKey.generate()), ED).algorithms == ("EdDSA",)


def test_no_key_allows_none() -> None:
    keys = (make_secret_key(SECRET, "s", 32), make_public_key(public_pem(RSA_KEY), RSA))
    assert not any(key.allows(alg) for key in keys for alg in ("none", "None", "NONE", "nOnE", ""))


WEAK = rsa.generate_private_key(65537, 1024)
LONG = (
    rsa.RSAPublicNumbers(65537, 2**8192 + 1)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
CURVE = ec.generate_private_key(ec.SECP256K1())
DSA = dsa.generate_private_key(2048)

REFUSED = {
    "no PEM": ("rubbish", RSA, "-----BEGIN PUBLIC KEY-----"),
    "a cut key": (public_pem(RSA_KEY)[:200], RSA, "-----BEGIN PUBLIC KEY-----"),
    "a private key": (private_pem(RSA_KEY), RSA, "openssl pkey -in key.pem -pubout"),
    "a short RSA key": (public_pem(WEAK), RSA, "1024 bits; give one of 2048 to 8192 bits"),
    "a long RSA key": (LONG, RSA, "8193 bits; give one of 2048 to 8192 bits"),
    "a different kind": (public_pem(EC_KEY), RSA, "a key for ecdsa_public_key"),
    "another kind": (public_pem(RSA_KEY), ED, "a key for rsa_public_key"),
    "a curve of no token": (public_pem(CURVE), EC, "signs no tokens"),
    "a key of no token": (public_pem(DSA), RSA, "signs no tokens"),
    "a key that cannot sign": (public_pem(x25519.X25519PrivateKey.generate()), ED, "signs no tokens"),
}


@pytest.mark.parametrize(("pem", "name", "said"), REFUSED.values(), ids=REFUSED)
def test_a_public_key_that_will_not_do_is_refused(pem: str, name: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make_public_key(pem, name)
    assert name in str(refused.value)
    assert said in str(refused.value)


def test_a_short_secret_is_refused_unless_that_is_wanted() -> None:
    with pytest.raises(ConfigError, match=r"has 6 bytes.*at least 32.*hmac_secret_bytes_min"):
        make_secret_key(b"secret", "token.hmac_secret_key", 32)
    assert make_secret_key(b"secret", "token.hmac_secret_key", 6).allows("HS256")


@pytest.mark.parametrize("text", [public_pem(RSA_KEY), public_pem(EC_KEY)], ids=["RSA", "EC"])
def test_a_public_key_is_no_secret(text: str) -> None:
    with pytest.raises(ConfigError, match="everybody may know"):
        make_secret_key(text.encode(), "token.hmac_secret_key", 32)


def test_an_ssh_key_is_no_secret() -> None:
    text = (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    with pytest.raises(ConfigError, match="everybody may know"):
        make_secret_key(text, "token.hmac_secret_key", 32)


def test_every_key_that_will_not_do_is_told_at_once() -> None:
    config = TokenConfig(
        hmac_secret_key="short", hmac_previous_secret_key="old", rsa_public_key="x", eddsa_public_key="y"
    )
    with pytest.raises(ConfigError) as refused:
        make_keys("token", config, read_key_texts("token", config))
    assert len(refused.value.problems) == 4
    assert not any("short" in problem for problem in refused.value.problems), "no secret is repeated"


def test_a_private_key_as_the_secret_is_called_by_its_name():
    with pytest.raises(ConfigError, match=r"token.hmac_secret_key holds a private key.*-pubout.*as rsa_public_key"):
        make_secret_key(private_pem(RSA_KEY).encode(), "token.hmac_secret_key", 32)
