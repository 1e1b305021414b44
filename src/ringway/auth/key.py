"""Keys of tokens: each checks signatures of its own algorithms only, whatever a token says (RFC 8725, 3.1).

A secret is for HS256, HS384 and HS512; an RSA key for RS256, RS384 and RS512; a key on a curve for the algorithm of
that curve. So a token with `alg: HS256` is never checked with a public key, and `alg: none` with no key at all.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ringway.errors import ConfigError

if TYPE_CHECKING:
    from jwt.algorithms import Algorithm

RSA_BITS_MIN = 2048
"""The shortest RSA key (RFC 7518, 3.3)."""

RSA_BITS_MAX = 8192
"""The longest RSA key: a check takes longer with the square of its length: 0.3 ms at 8192 bits."""

CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class TokenKey:
    """A key, made ready once. `valid_until` is Unix seconds."""

    __slots__ = ("_algorithms", "_key", "valid_until")

    def __init__(self, key: Any, algorithms: "Mapping[str, Algorithm]", valid_until: float = math.inf) -> None:
        self._key = key
        self._algorithms = algorithms
        self.valid_until = valid_until

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms of its signatures."""
        return tuple(self._algorithms)

    def allows(self, alg: str) -> bool:
        """True if `alg` is one of its algorithms."""
        return alg in self._algorithms

    def proves(self, alg: str, signed: bytes, signature: bytes) -> bool:
        """Return True if `signature` is by this key for `signed`; `alg` must be allowed."""
        return bool(self._algorithms[alg].verify(signed, self._key, signature))


def make_secret_key(secret: bytes, name: str, bytes_min: int, valid_until: float = math.inf) -> TokenKey:
    """Return the key of HMAC signatures; raise `ConfigError` if `secret`, the setting `name`, is short or no secret."""
    from jwt.algorithms import HMACAlgorithm
    from jwt.exceptions import InvalidKeyError

    if len(secret) < bytes_min:
        raise ConfigError(
            f"{name} has {len(secret)} bytes, and can be guessed from one token; give at least {bytes_min} "
            "(`openssl rand -hex 32` makes a good one), or lower hmac_secret_bytes_min if it cannot be changed"
        )
    hashes = {"HS256": HMACAlgorithm.SHA256, "HS384": HMACAlgorithm.SHA384, "HS512": HMACAlgorithm.SHA512}
    algorithms = {alg: HMACAlgorithm(digest) for alg, digest in hashes.items()}
    try:
        key = algorithms["HS256"].prepare_key(secret)
    except InvalidKeyError:
        if b"PRIVATE KEY" in secret:
            raise ConfigError(
                f"{name} holds a private key, which is no secret for HMAC; give a secret (`openssl rand -hex 32`), or "
                "keep that key at the issuer alone and set its public one (`openssl pkey -in key.pem -pubout`) as "
                "rsa_public_key, ecdsa_public_key or eddsa_public_key"
            ) from None
        raise ConfigError(
            f"{name} holds a public key or a certificate, which everybody may know; give a secret, or set the key as "
            "rsa_public_key, ecdsa_public_key or eddsa_public_key"
        ) from None
    return TokenKey(key, algorithms, valid_until)


def make_public_key(pem: str, name: str) -> TokenKey:
    """Return the key in `pem`, the setting `name`; raise `ConfigError` if it is none, or not of the setting's kind."""
    check_cryptography(name)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY" in pem:
        raise ConfigError(
            f"{name} holds a private key, which belongs to the issuer alone; give the public one "
            "(`openssl pkey -in key.pem -pubout`), and consider the private one as known"
        )
    try:
        key: Any = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{name} holds no public key in PEM, which begins with -----BEGIN PUBLIC KEY-----; "
            "`openssl pkey -in key.pem -pubout` prints it, of a certificate `openssl x509 -in cert.pem -pubkey -noout`"
        ) from None
    setting, algorithms = algorithms_of(key, name)
    wanted = name.rpartition(".")[2]
    if setting != wanted:
        raise ConfigError(f"{name} holds a key for {setting}; give it there, or give the right key here")
    return TokenKey(key, algorithms)


def algorithms_of(key: Any, name: str) -> "tuple[str, dict[str, Algorithm]]":
    """Return the setting that a public `key` is for, and the algorithms that it may be used with.

    Raise `ConfigError`, which calls the key `name`, if it is too weak, or of a kind that no token is signed with.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    if isinstance(key, RSAPublicKey):
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise ConfigError(
                f"{name} is an RSA key of {key.key_size} bits; give one of {RSA_BITS_MIN} to {RSA_BITS_MAX} bits"
            )
        hashes = {"RS256": RSAAlgorithm.SHA256, "RS384": RSAAlgorithm.SHA384, "RS512": RSAAlgorithm.SHA512}
        return "rsa_public_key", {alg: RSAAlgorithm(digest) for alg, digest in hashes.items()}
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in CURVES:
        sizes = {"ES256": ECAlgorithm.SHA256, "ES384": ECAlgorithm.SHA384, "ES512": ECAlgorithm.SHA512}
        alg = CURVES[key.curve.name]
        return "ecdsa_public_key", {alg: ECAlgorithm(sizes[alg])}
    if isinstance(key, (Ed25519PublicKey, Ed448PublicKey)):
        return "eddsa_public_key", {"EdDSA": OKPAlgorithm()}
    raise ConfigError(
        f"{name} is of a kind that signs no tokens; give an RSA, P-256, P-384, P-521, Ed25519 or Ed448 key"
    )


def check_cryptography(name: str) -> None:
    """Raise `ConfigError` if the package is missing that the setting `name` needs."""
    from jwt.algorithms import has_crypto

    if not has_crypto:
        raise ConfigError(f"{name} needs the package cryptography; install it: pip install 'ringway[auth]'")
