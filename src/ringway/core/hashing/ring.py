"""Hash ring with virtual nodes (consistent hashing: Karger et al., STOC 1997), weighted, with several probes a key.

Each node owns points on a circle. A key has `PROBES` positions there; the nearest point after one of them owns it
(Appleton and O'Reilly, "Multi-probe consistent hashing", 2015). The points of a node depend on its name and weight
alone, so members that learn of changes in different order agree, a new node gets keys only from old nodes, and a node
that leaves loses only its own keys.

A node's share deviates by 1 / sqrt((2 PROBES - 1) points): 0.8 % of it, with any number of nodes. Points cost 8 bytes
each: 24 KiB for a node of weight 1. A lookup costs the same with any number of nodes.

The circle is divided into sectors, over which the points of a node are spread evenly. A change is made sector by
sector, so that it costs a node's points, and a slice of it some milliseconds.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from struct import unpack
from typing import NamedTuple

from ringway.core.hashing.digest import begin_points, hash_name
from ringway.core.hashing.sliced import SlicedTable
from ringway.types import NodeName

PROBES = 3
SECTORS = 256
POINTS_PER_WEIGHT = 3072

NODES_MAX = 32_768
"""Nodes that have points; further nodes are drawn by rendezvous hashing after them."""

POINTS_MAX = 393_216
"""Bound on one node's points, whatever its weight: above 128, weights are all the same."""

FACTORS = (1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""The probes of a key are its hash times these, of which no small multiples are near each other."""

_SHIFT = 56
_MASK = (1 << 64) - 1
NUMBER_BITS = 16
"""A point's last bits are the number of its node."""

_NUMBER = (1 << NUMBER_BITS) - 1
_PROBE = _MASK ^ _NUMBER
_WALK = 4
"""Points, for each node, that are read for the order of a key."""

_POSITION = (1 << _SHIFT) - 1 - _NUMBER
_SLICE_US = 2000.0  # the work of a slice, by the measured costs of its parts
_FEW = 64  # points that are inserted one by one
_NODE_US = 3.0


class HashRing(SlicedTable):
    """The owners of all keys, for one set of nodes and weights."""

    def __init__(self, weights: Mapping[NodeName, float], secret: bytes = b"") -> None:
        self.sectors: list[array[int]] = [array("Q") for _ in range(SECTORS)]
        """The points of each sector in order, each with the number of its node in its last bits."""
        self.points = 0
        """The number of points on the circle."""
        self.names: list[NodeName] = []
        """By number; the name of a node that left remains until its number is used again."""
        self._unused: list[int] = []
        self._members: dict[NodeName, _Member] = {}
        super().__init__(weights, secret)

    def _walk(self, hashed: int) -> Iterator[NodeName]:
        if not self.points:
            return
        names, sectors = self.names, self.sectors
        positions, rows, places, heads = [], [], [], []
        for factor in FACTORS:
            position = hashed * factor & _PROBE
            row = sectors[position >> _SHIFT]
            place = bisect_left(row, position)
            if place == len(row):
                row, place = self._row_after(position >> _SHIFT), 0
            positions.append(position)
            rows.append(row)
            places.append(place)
            heads.append(row[place] - position & _MASK)
        for _ in range(_WALK * len(self._members)):
            head = min(heads)
            yield names[head & _NUMBER]
            probe = heads.index(head)
            places[probe] += 1
            if places[probe] == len(rows[probe]):
                rows[probe], places[probe] = self._row_after(rows[probe][0] >> _SHIFT), 0
            heads[probe] = rows[probe][places[probe]] - positions[probe] & _MASK

    def _row_after(self, sector: int) -> "array[int]":
        """Return the next sector that has points."""
        while True:
            sector = (sector + 1) % SECTORS
            if self.sectors[sector]:
                return self.sectors[sector]

    def _build(self, weights: Mapping[NodeName, float]) -> Iterator[None]:
        """Remove the points of nodes that are gone or whose weight changed, and insert new points, in each sector."""
        gone, added = self._change_members({name: weights[name] for name in sorted(weights)[:NODES_MAX]})
        spent_us = 0.0
        for sector in range(SECTORS):
            old, new = _Points(sector), _Points(sector)
            for nodes, points in ((gone, old), (added, new)):
                for node in nodes:
                    points.add(node)
                    spent_us += _NODE_US
                    if spent_us >= _SLICE_US:
                        spent_us = 0.0
                        yield
            if len(added) + len(gone) > _FEW:
                spent_us = 0.0
                yield  # sorting has a slice of its own
            before = len(self.sectors[sector])
            self.sectors[sector] = row = _changed(self.sectors[sector], old.read(), new.read())
            self.points += len(row) - before
            spent_us += 0.3 * len(row) if len(added) + len(gone) > _FEW else 20.0 + 0.003 * len(row)
        self._unused += [node.number for node in gone]

    def _change_members(self, wanted: Mapping[NodeName, float]) -> tuple[list["_Member"], list["_Member"]]:
        """Return the members that `wanted` lacks, and the members that it adds."""
        members = self._members
        gone = [members.pop(name) for name in list(members) if members[name].weight != wanted.get(name)]
        added = []
        for name in wanted.keys() - members.keys():
            if self._unused:
                number = self._unused.pop()
                self.names[number] = name
            else:
                number = len(self.names)
                self.names.append(name)
            members[name] = _member(number, name, wanted[name], self._secret)
            added.append(members[name])
        return gone, added


class _Member(NamedTuple):
    number: int
    weight: float
    points: int  # the number of points
    first: int  # sectors with one point more are counted from `first` by `step`
    step: int
    begun: blake2b


def _member(number: int, name: NodeName, weight: float, secret: bytes) -> _Member:
    count = min(POINTS_MAX, max(1, round(weight * POINTS_PER_WEIGHT)))
    first, step = hash_name(name, secret)[:2]
    return _Member(number, weight, count, first, step | 1, begin_points(name, secret))


class _Points:
    """Points in one sector. The points of a node at a smaller weight are a subset of its points at a larger weight."""

    def __init__(self, sector: int) -> None:
        self._sector = sector
        self._drawn: list[bytes] = []
        self._marks: list[bytes] = []

    def add(self, node: _Member) -> None:
        """Add the points of `node`."""
        count, more = divmod(node.points, SECTORS)
        count += (self._sector * node.step + node.first) % SECTORS < more
        drawn = b""
        for block in range((count + 7) // 8):
            digest = node.begun.copy()
            digest.update(bytes((self._sector, block)))
            drawn += digest.digest()
        self._drawn.append(drawn[: 8 * count])
        self._marks.append((self._sector << _SHIFT | node.number).to_bytes(8, "little") * count)

    def read(self) -> tuple[int, ...]:
        """Return the points, in no order."""
        drawn, marks = b"".join(self._drawn), b"".join(self._marks)
        size = len(drawn)
        kept = int.from_bytes(_POSITION.to_bytes(8, "little") * (size // 8), "little")  # all at once: in C
        raw = int.from_bytes(drawn, "little") & kept | int.from_bytes(marks, "little")
        return unpack(f"<{size // 8}Q", raw.to_bytes(size, "little"))


def _changed(row: "array[int]", old: tuple[int, ...], new: tuple[int, ...]) -> "array[int]":
    """Return `row` without the points `old`, and with the points `new`; in order."""
    if len(old) + len(new) > _FEW:
        return array("Q", sorted([*({*row}.difference(old) if old else row), *new]))
    for point in old:
        del row[bisect_left(row, point)]
    for point in new:
        insort(row, point)
    return row
