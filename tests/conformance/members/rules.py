"""Rules of sealed messages as PROTOCOL.md P-8.1 and P-8.2 write them, beside the product's code: both must agree.

They are the same in all wire versions, so this file is never changed.
"""

import hmac
from hashlib import blake2b
from typing import NamedTuple


class Head(NamedTuple):
    """The first 20 bytes of a sealed message."""

    version: int
    kind: int
    origin: str
    number: int
    sent_ms: int


def read_head(sealed: bytes) -> Head:
    """Return the head of a sealed message."""
    origin, number, sent_ms = (
        sealed[2:6].hex(),
        int.from_bytes(sealed[6:14], "big"),
        int.from_bytes(sealed[14:20], "big"),
    )
    return Head(sealed[0], sealed[1], origin, number, sent_ms)


def is_proven(secret: bytes, purpose: str, context: str, sealed: bytes) -> bool:
    """Return True if the proof of a sealed message is that of the cluster's secret."""
    extracted = hmac.digest(b"ringway members", secret, "sha256")
    key = hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")
    said = context.encode() + b"\0" + sealed[:20] + sealed[36:]
    return blake2b(said, key=key, digest_size=16).digest() == sealed[20:36]
