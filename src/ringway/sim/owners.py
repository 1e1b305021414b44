"""Owners of many keys at once: what the tables of `core.hashing` say, computed with arrays.

A key is given as its hash (`hash_keys`); hashes of distinct keys are uniform random numbers.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ringway.core.hashing import Table
from ringway.core.hashing.digest import begin_hash, hash_key, table_secret
from ringway.core.hashing.maglev import SIZE, MaglevTable
from ringway.core.hashing.rendezvous import DRAW_BITS, DRAW_SCALE, KEY_SHIFT, RendezvousTable
from ringway.core.hashing.ring import FACTORS, NUMBER_BITS, HashRing
from ringway.types import NodeName

Hashes: TypeAlias = NDArray[np.uint64]
Names: TypeAlias = NDArray[np.object_]

_BLOCK = 1 << 17  # draws that are compared at once: they fit in a core's cache


def hash_keys(keys: list[bytes], secret: bytes) -> Hashes:
    """Return the hashes of `keys` for tables with this `secret`."""
    begun = begin_hash(table_secret(secret))
    return np.array([hash_key(key, begun) for key in keys], np.uint64)


def owners_of(table: Table, hashes: Hashes) -> Names:
    """Return the owner of each key by `table`, which is whole and not empty."""
    if isinstance(table, RendezvousTable):
        return _named([lane.name for lane in table.lanes], _earliest(table, hashes >> np.uint64(KEY_SHIFT)))
    if isinstance(table, HashRing):
        return _named(table.names, _nearest(table, hashes))
    assert isinstance(table, MaglevTable)
    places = np.array(table.places)
    return _named(table.names, places[(hashes % np.uint64(SIZE)).astype(np.intp)])


def _named(names: Sequence[NodeName], numbers: NDArray[np.integer]) -> Names:
    found: Names = np.array(names, np.object_)[numbers]
    return found


def _nearest(ring: HashRing, hashes: Hashes) -> NDArray[np.integer]:
    """Return the number of the node that has the first point after one of the probes of each key."""
    points = np.concatenate([np.array(row, np.uint64) for row in ring.sectors])
    bits = np.uint64((1 << NUMBER_BITS) - 1)
    best = np.full(len(hashes), np.iinfo(np.uint64).max)
    for factor in FACTORS:
        probes = hashes * np.uint64(factor) & ~bits
        index = np.searchsorted(points, probes)
        best = np.minimum(best, points[np.where(index < len(points), index, 0)] - probes)
    return (best & bits).astype(np.intp)


def _earliest(table: RendezvousTable, x: Hashes) -> NDArray[np.integer]:
    """Return the number of the lane with the earliest time for each key."""
    lanes = table.lanes
    factors = np.array([lane.factor for lane in lanes], np.uint64)
    offsets = np.array([lane.offset for lane in lanes], np.uint64)
    low = np.uint64((1 << DRAW_BITS) - 1)
    scales = np.array([lane.scale for lane in lanes])
    found = np.empty(len(x), np.intp)
    size = max(1, _BLOCK // len(lanes))
    for begin in range(0, len(x), size):
        some = x[begin : begin + size]
        negative = ((factors * some[:, np.newaxis] + offsets & low) + 0.5) * DRAW_SCALE
        # A time v' = -ln(1 - v) / weight is never before v / weight. So the logarithm is needed of few.
        least = negative * scales
        first = np.argmin(least, axis=1)
        rows = np.arange(len(some))
        latest = np.log1p(negative[rows, first]) * scales[first]
        unsure = np.flatnonzero((least <= latest[:, np.newaxis]).sum(axis=1) > 1)
        first[unsure] = np.argmin(np.log1p(negative[unsure]) * scales, axis=1)
        found[begin : begin + size] = first
    return found
