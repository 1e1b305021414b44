"""Maglev hashing (Eisenbud et al., NSDI 2016), weighted: a table of `SIZE` places that nodes fill by turns.

Each node prefers the places in an order of its own, from an offset on by a skip. By turns each node takes the first
place in its order that is still free, until all are taken. The k-th turn of a node comes at the time (k - 1/2) / weight
(Sainte-Laguë 1910), so that nodes have the same part of the places as of the weights, to a place or two. A key is
hashed to a place; if the owner of the place is full, the key goes to the owner of the next place, and so on.

Shares are as even as they can be. The price is collateral: when a node comes or goes, other places change owner too,
and 0.2 to 0.5 % of the keys move between two nodes that both stay. And each change fills the whole table again, one
turn after the other: 15 ms with ten nodes, 20 to 25 ms with a hundred. When nineteen of twenty places are taken, a node
finds almost only taken places; from then on it searches the free places alone, sorted by its preference.

Measured with 100 nodes: 1 µs a lookup, 20 to 25 ms to build or to change anything, 1 MB.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ringway.core.hashing.stream import (
    Names,
    Numbers,
    Times,
    begin_hash,
    hash_key,
    mix,
    named,
    seed_of,
    step,
    steps,
    table_secret,
    times,
)
from ringway.types import NodeName

SIZE = 65_537
"""Places; a prime, so that any skip visits all of them."""

_SPARSE = SIZE - SIZE // 20
"""Turns after which only the free places are searched."""

_WALK = 4
"""Places, for each node, that are read for the order of a key; nodes that are not met on the way are drawn."""


class MaglevTable:
    """The owners of all keys, for one set of nodes and weights."""

    def __init__(self, weights: Mapping[NodeName, float], secret: bytes = b"") -> None:
        self._secret = table_secret(secret)
        self._begun = begin_hash(self._secret)
        self._weights: dict[NodeName, float] = {}
        self._names: list[NodeName] = []
        self._seeds: Numbers = np.zeros(0, np.uint64)
        self._rates: Times = np.zeros(0)
        self.places: list[int] = []
        """The number of the owner of each place, in the order of the nodes' names."""
        self.update(weights)

    @property
    def weights(self) -> Mapping[NodeName, float]:
        """The nodes of the table and their weights."""
        return self._weights

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Make the table hold exactly `weights`; nodes with weight 0 own nothing."""
        wanted = {name: weights[name] for name in sorted(weights) if weights[name] > 0}
        if wanted == self._weights:
            return
        self._weights = wanted
        self._names = list(wanted)
        self._seeds = np.array([seed_of(name, self._secret) for name in wanted], np.uint64)
        self._rates = np.array(list(wanted.values()), np.float64)
        self.places = self._fill() if wanted else []

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        if not self.places:
            raise LookupError("the table is empty")
        return self._names[self.places[hash_key(key, self._begun) % SIZE]]

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once: the owner of its place, then those of the places after it."""
        if not self.places:
            return
        place = hash_key(key, self._begun) % SIZE
        met: set[int] = set()
        for at in range(place, place + _WALK * len(self._names) + 1):
            number = self.places[at % SIZE]
            if number not in met:
                met.add(number)
                yield self._names[number]
        if len(met) < len(self._names):
            when = times(self._seeds, self._rates, np.array([step(place)], np.uint64))[0]
            for number in np.argsort(when).tolist():
                if number not in met:
                    yield self._names[number]

    def owners(self, hashes: Numbers) -> Names:
        """Return the owner of each key of which the hash is given (`stream.hash_keys`), all at once."""
        return named(self._names, np.array(self.places)[(hashes % np.uint64(SIZE)).astype(np.intp)])

    def _fill(self) -> list[int]:
        """Return the owner of each place: nodes take turns until all places are taken."""
        offsets, skips = self.preferences()
        order_of_turns = self.turns()
        places: list[int | None] = [None] * SIZE
        begin, skip = offsets.tolist(), skips.tolist()
        for number in order_of_turns[:_SPARSE]:
            place, by = begin[number], skip[number]
            while places[place] is not None:
                place = (place + by) % SIZE
            places[place] = number
            begin[number] = place
        free = np.array([place for place, number in enumerate(places) if number is None])
        orders = [order.data for order in _preferred(free, offsets, skips)]
        looked = [0] * len(orders)
        for number in order_of_turns[_SPARSE:]:
            order, at = orders[number], looked[number]
            while places[order[at]] is not None:
                at += 1
            places[order[at]] = number
            looked[number] = at
        return cast("list[int]", places)  # all are taken: there are as many turns as places

    def preferences(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each node's offset and skip."""
        numbers = mix(self._seeds[:, np.newaxis] + steps(SIZE, SIZE + 2)[np.newaxis, :])
        offsets = (numbers[:, 0] % np.uint64(SIZE)).astype(np.int64)
        skips = (numbers[:, 1] % np.uint64(SIZE - 1)).astype(np.int64) + 1
        return offsets, skips

    def turns(self) -> list[int]:
        """Return the node of each of the `SIZE` turns. Turns at the same time are in the order of names."""
        counts = np.ceil(self._rates / self._rates.sum() * SIZE).astype(np.int64) + 1
        counts = np.minimum(counts, SIZE)
        numbers = np.repeat(np.arange(len(counts)), counts)
        turn = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        order = np.argsort((turn - 0.5) / self._rates[numbers], kind="stable")[:SIZE]
        turns: list[int] = numbers[order].tolist()
        return turns


def _preferred(places: NDArray[np.intp], offsets: NDArray[np.int64], skips: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a row for each node: `places` in the order of its preference."""
    inverse = np.array([pow(skip, -1, SIZE) for skip in skips.tolist()], np.int64)
    rank = (places[np.newaxis, :] - offsets[:, np.newaxis]) * inverse[:, np.newaxis] % SIZE
    # Sixteen bits are sorted without comparing; the very last two choices count as one for it.
    return places[np.argsort(np.minimum(rank, 0xFFFF).astype(np.uint16), axis=1, kind="stable")]
