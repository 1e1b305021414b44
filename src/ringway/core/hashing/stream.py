"""Streams of random numbers, from which all tables are made: a keyed hash for keys, and a stream for each node.

Both depend on the cluster's secret, so no stranger can compute the node of a key. Keys are hashed by BLAKE2b in
its keyed mode. A node's name, hashed the same way, seeds SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): it is
computed for whole arrays at once, its j-th number without those before, and names that differ in one letter have
nothing in common.
"""

from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ringway.types import NodeName

Numbers: TypeAlias = NDArray[np.uint64]
Times: TypeAlias = NDArray[np.float64]
Names: TypeAlias = NDArray[np.object_]

_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def table_secret(secret: bytes) -> bytes:
    """Return the key of all hashes of a table: of the length that BLAKE2b takes, whatever that of `secret`."""
    return blake2b(secret, digest_size=32).digest()


def begin_hash(secret: bytes) -> blake2b:
    """Return the hash of keys, begun: `hash_key` goes on from a copy, which is a third faster than to begin anew."""
    return blake2b(digest_size=8, key=secret)


def hash_key(key: bytes, begun: blake2b) -> int:
    """Return the 64-bit hash of `key`."""
    state = begun.copy()
    state.update(key)
    return int.from_bytes(state.digest(), "big")


def hash_keys(keys: list[bytes], secret: bytes) -> Numbers:
    """Return the 64-bit hashes of `keys`."""
    begun = begin_hash(secret)
    return np.array([hash_key(key, begun) for key in keys], np.uint64)


def seed_of(name: NodeName, secret: bytes) -> int:
    """Return the seed of the numbers of `name`."""
    digest = blake2b(name.encode(), digest_size=8, key=secret, person=b"ringway node").digest()
    return int.from_bytes(digest, "big")


def steps(begin: int, end: int) -> Numbers:
    """Return the steps to add to a seed for its numbers `begin` to `end` - 1; `mix` makes them random."""
    return np.arange(begin + 1, end + 1, dtype=np.uint64) * np.uint64(_STEP)


def step(index: int) -> int:
    """Return the step to add to a seed for its number `index`."""
    return (index + 1) * _STEP & _MASK


def mix(states: Numbers) -> Numbers:
    """Turn sums of seed and step into random numbers, in place."""
    states ^= states >> np.uint64(30)
    states *= np.uint64(0xBF58476D1CE4E5B9)
    states ^= states >> np.uint64(27)
    states *= np.uint64(0x94D049BB133111EB)
    states ^= states >> np.uint64(31)
    return states


def uniform(numbers: Numbers) -> Times:
    """Return a fraction between 0 and 1, and neither of them, for each of `numbers`."""
    return (numbers >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53


def times(seeds: Numbers, weights: Times, at: Numbers) -> Times:
    """Return a row for each of the steps `at`: a time for each node, exponential with its weight as the rate."""
    fractions: Times = uniform(mix(seeds[np.newaxis, :] + at[:, np.newaxis]))
    return -np.log(fractions) / weights[np.newaxis, :]


def named(names: list[NodeName], numbers: NDArray[np.integer]) -> Names:
    """Return the names that have these `numbers`."""
    found: Names = np.array(names, np.object_)[numbers]
    return found
