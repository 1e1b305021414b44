"""A token on the command line: read, verified by the settings, or refused in words."""

import sys
from random import Random
from typing import Any

import msgspec

from ringway.app.config import Config
from ringway.cli.terminal import say_json, tell
from ringway.errors import ConfigError, KeyUnknown, TokenError, TokenExpired
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims

Claims = ConnectionClaims | SubscriptionClaims


def read_token(word: str) -> str:
    """Return the token that `word` is; - reads it from standard input."""
    return sys.stdin.read().strip() if word == "-" and sys.stdin is not None else word.strip()


async def verified(config: Config, token: str, now: float) -> Claims:
    """Return the claims of `token`, whose key may be fetched. Raise `TokenError`; `ConfigError` without any key."""
    from ringway.auth.verifier import make_verifier
    from ringway.net import configure

    configure(config.names)
    verifier = make_verifier(config.token, config.subscription_token, Random())
    if verifier is None:
        raise ConfigError(
            "no key is set that could prove a token; give --hmac-secret-key-file, --rsa-public-key-file, "
            "--ecdsa-public-key-file, --eddsa-public-key-file or --jwks-public-endpoint"
        )
    verify = verifier.verify_subscription if "channel" in _unproven(token) else verifier.verify_connection
    try:
        return verify(token, now)
    except KeyUnknown:
        await verifier.refresh_keys()
        return verify(token, now)


def say_refused(token: str, error: TokenError, *, as_json: bool) -> None:
    """Print why `token` is not accepted, and what it says."""
    expired = isinstance(error, TokenExpired)
    if as_json:
        say_json({"good": False, "expired": expired, "why": str(error), "unproven": _unproven(token)})
        return
    tell(f"ringway: the token {'has expired' if expired else 'is not accepted'}: {error}")
    if said := _unproven(token):
        tell(f"it says, {'' if expired else 'without proof, '}{msgspec.json.encode(said).decode()}")


def _unproven(token: str) -> dict[str, Any]:
    """Return what a token says, whoever wrote it; empty if it cannot be read."""
    from ringway.protocol.jwt import read_compact, read_object

    try:
        return read_object(read_compact(token, len(token)).claims, "claims")
    except TokenError:
        return {}
