"""Signer of tokens, for operators and tests: with the secret of the settings, or with a private key in a file.

Applications sign tokens with a library of their own language.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ringway.auth.config import TokenRulesConfig
from ringway.auth.key import algorithms_of, check_cryptography, make_secret_key
from ringway.auth.static_keys import read_key_texts
from ringway.errors import ConfigError

SECRET_ALG = "HS256"


def sign_with_secret(section: str, config: TokenRulesConfig, claims: Mapping[str, Any]) -> str:
    """Return a token by the secret in the settings `section`; raise `ConfigError` if there is none that can be used."""
    import jwt

    name = f"{section}.hmac_secret_key"
    secret = read_key_texts(section, config).of("hmac_secret_key").encode()
    if not secret:
        raise ConfigError(
            f"{name} is not set, so there is no secret to sign with; give --hmac-secret-key-file, or a private key by "
            "--private-key-file"
        )
    make_secret_key(secret, name, config.hmac_secret_bytes_min)
    return jwt.PyJWS().encode(_encode(claims), secret, SECRET_ALG)


def sign_with_private_key(pem: bytes, claims: Mapping[str, Any], kid: str = "") -> str:
    """Return a token by the private key in `pem`, without a passphrase; its header names `kid` if that is not empty.

    The algorithm follows from the key: RS256, ES256, ES384, ES512 or EdDSA. Raise `ConfigError` if it is no such key.
    """
    name = "the private key"
    check_cryptography(name)
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key: Any = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name} cannot be read as PEM without a passphrase ({error}); give another") from None
    _, algorithms = algorithms_of(key.public_key(), name)
    return jwt.PyJWS().encode(_encode(claims), key, next(iter(algorithms)), headers={"kid": kid} if kid else None)


def _encode(claims: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(claims)
