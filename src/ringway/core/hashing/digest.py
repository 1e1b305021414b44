"""Hashes of keys and of nodes' names, from which all tables are made: BLAKE2b, keyed by the cluster's secret.

No stranger can compute the node of a key. The hashes of names that differ in one letter have nothing in common, and
neither have the hashes of a node and a key of the same text.
"""

from hashlib import blake2b

from ringway.types import NodeName

_NODE = b"ringway node"


def table_secret(secret: bytes) -> bytes:
    """Return the key of all hashes of a table: of BLAKE2b's length, for a `secret` of any length."""
    return blake2b(secret, digest_size=32).digest()


def begin_hash(secret: bytes) -> blake2b:
    """Return the beginning of the hash of keys: `hash_key` continues a copy, a third faster than a new hash."""
    return blake2b(digest_size=8, key=secret)


def hash_key(key: bytes, begun: blake2b) -> int:
    """Return the 64-bit hash of `key`."""
    state = begun.copy()
    state.update(key)
    return int.from_bytes(state.digest(), "big")


def hash_name(name: NodeName, secret: bytes) -> bytes:
    """Return 16 random bytes for the node `name`."""
    return blake2b(name.encode(), digest_size=16, key=secret, person=_NODE).digest()


def begin_points(name: NodeName, secret: bytes) -> blake2b:
    """Return the beginning of the hash of the points of `name`: a copy with a number added gives 64 bytes."""
    return blake2b(name.encode() + b"\0", digest_size=64, key=secret, person=_NODE)
