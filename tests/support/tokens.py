"""Tokens for tests, put together by hand, so that each part can also be wrong."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

SECRET = b"a secret of tests, long enough for HS256"
NOW = 1_800_000_000.0
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def part(value: bytes | Mapping[str, Any]) -> str:
    """Return one part of a token: bytes as they are, or an object in JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def make_token(
    claims: bytes | Mapping[str, Any],
    secret: bytes = SECRET,
    header: bytes | Mapping[str, Any] | None = None,
    alg: str = "HS256",
) -> str:
    """Return a token with a genuine HMAC signature by `secret`, whatever its parts say."""
    signed = f"{part(header if header is not None else {'alg': alg, 'typ': 'JWT'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), HASHES.get(alg, 'sha256')))}"
