"""Maglev hashing (Eisenbud et al., NSDI 2016), weighted: a table of `SIZE` places that nodes fill by turns.

Each node prefers the places in an order of its own, from an offset on by a skip. By turns each node fills the first
place in its order that is still free, until all are full. The k-th turn of a node comes at the time (k - 1/2) / weight
(Sainte-Laguë 1910), so that a node's part of the places is its part of the weights, to a place or two. A key is
hashed to a place; if the owner of the place is full, the key goes to the owner of the next place, and so on.

A lookup costs the same with any number of nodes. The price is collateral: when a node comes or goes, other places
change owner too, and 0.2 to 0.5 % of the keys move between two nodes that both stay. And each change fills the whole
table again, in slices; the old table answers until the new table is full.
"""

from array import array
from collections.abc import Iterator, Mapping
from heapq import heapify, heapreplace
from typing import ClassVar

from ringway.core.hashing.digest import hash_name
from ringway.core.hashing.sliced import SlicedTable
from ringway.types import NodeName

SIZE = 65_537
"""Places; a prime, so that any skip visits all of them."""

_FREE = 0xFFFF
_SLICE = 20_000.0  # places that are read in one slice, with 10 for a turn
_WALK = 4
"""Places, for each node, that are read for the order of a key."""


class MaglevTable(SlicedTable):
    """The owners of all keys, for one set of nodes and weights."""

    moves_least: ClassVar[bool] = False

    names: tuple[NodeName, ...] = ()
    """The nodes of the table that answers, in order."""

    places: "array[int]" = array("H")
    """The number of the owner of each place, in the order of `names`."""

    def _walk(self, hashed: int) -> Iterator[NodeName]:
        names, places = self.names, self.places
        place = hashed % SIZE
        for at in range(place, place + _WALK * len(names) + 1):
            yield names[places[at % SIZE]]

    def _build(self, weights: Mapping[NodeName, float]) -> Iterator[None]:
        """Let nodes fill places by turns until all places are full."""
        names = tuple(sorted(weights))[:_FREE]
        preferences = [preference(name, self._secret) for name in names]
        places = array("H", [_FREE]) * SIZE
        at = [offset for offset, _ in preferences]
        skips = [skip for _, skip in preferences]
        spent = 0.0
        for free, number in zip(range(SIZE, 0, -1), turns([weights[name] for name in names]), strict=False):
            place, skip = at[number], skips[number]
            while places[place] != _FREE:
                place = (place + skip) % SIZE
            places[place] = number
            at[number] = place
            spent += 10 + SIZE / free
            if spent > _SLICE:
                spent = 0.0
                yield
        self.names, self.places = names, places


def preference(name: NodeName, secret: bytes) -> tuple[int, int]:
    """Return the offset and the skip of the order in which `name` prefers the places."""
    raw = hash_name(name, secret)
    return int.from_bytes(raw[:8], "little") % SIZE, int.from_bytes(raw[8:], "little") % (SIZE - 1) + 1


def turns(weights: list[float]) -> Iterator[int]:
    """Yield the node of each of the `SIZE` turns. Turns at the same time are in the order of nodes."""
    waiting = [(0.5 / weight, number) for number, weight in enumerate(weights)]
    heapify(waiting)
    done = [0.5] * len(weights)
    for _ in range(SIZE if weights else 0):
        number = waiting[0][1]
        done[number] += 1.0
        yield number
        heapreplace(waiting, (done[number] / weights[number], number))
