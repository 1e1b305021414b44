"""Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by Schindelhauer and Schomaker 2005) over slots.

Each node draws a random time for each key, exponentially distributed with its weight as the rate: -ln(u) / weight.
The earliest owns the key, the second inherits it, and so on. Hence a node's share is its weight's share, exactly and
for any real weight; a new node takes keys only from others, one that leaves or grows lighter only gives; and nothing
but the present nodes, their weights and the secret matters.

That would cost a look at all nodes per key. So keys are first hashed to `SLOTS` slots, and for each slot the earliest
`DEPTH` nodes are kept: a lookup is one hash and one access. What the table says is exactly what a direct computation
says of the slot, whatever came before. The price is noise: a node's share of the slots deviates by 1/sqrt(slots that
it owns), which is 2 % of its share with 100 nodes, and 0.6 % with 10.

Invariant: a slot lists, in order, all nodes whose time is at most its *horizon*, and no others. A new node enters
where it comes before the horizon; where that pushes another out, the horizon moves back. A node that leaves is struck
out, and the horizon stays. So a change is a matter of one node's times alone. Slots that have become short by this
are computed anew, and orders beyond the horizon are computed when they are asked for.

Measured with 100 nodes: 2 µs a lookup, 5 ms to add or remove a node, 0.4 s to build, 13 MB. (Two nodes that draw the
same 53 bits would be ordered by arrival: once in a million tables.)
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ringway.core.hashing.stream import (
    Names,
    Numbers,
    Times,
    hash_key,
    mix,
    named,
    seed_of,
    step,
    steps,
    table_secret,
    times,
    uniform,
)
from ringway.types import NodeName

SLOT_BITS = 18
SLOTS = 1 << SLOT_BITS

DEPTH = 4
"""Nodes listed per slot: the owner, two alternates, and one that may leave."""

DEPTH_MIN = 3
"""Slots that list fewer, of more, are computed anew."""

ORDERS_MAX = 4096
"""Orders of all nodes that are remembered: those of keys so busy that their first nodes are full."""

_NONE = 0xFFFF
_BLOCK = 1 << 15  # slots that are worked on at once: their numbers fit in a core's cache

_Places: TypeAlias = NDArray[np.intp]


class Rendezvous:
    """Who owns which key; see the module."""

    def __init__(self, weights: Mapping[NodeName, float], secret: bytes = b"") -> None:
        self._secret = table_secret(secret)
        self._weights: dict[NodeName, float] = {}
        self._names: list[NodeName] = []  # by number; those of nodes that left are given again
        self._numbers: dict[NodeName, int] = {}
        self._unused: list[int] = []
        self._steps = steps(0, SLOTS)
        self._who = np.full((DEPTH, SLOTS), _NONE, np.uint16)
        self._when: Times = np.full((DEPTH, SLOTS), inf)
        self._horizon: Times = np.full(SLOTS, inf)
        self._listed = [row.data for row in self._who]  # the same memory; gives plain integers
        self._orders: dict[int, list[NodeName]] = {}
        self._seeds: Numbers = np.zeros(0, np.uint64)  # of the present nodes, in the order of `weights`
        self._rates: Times = np.zeros(0)
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
        gone = [name for name, weight in self._weights.items() if wanted.get(name) != weight]
        added = [name for name, weight in wanted.items() if self._weights.get(name) != weight]
        for name in gone:
            self._strike(self._numbers[name])
            self._unused.append(self._numbers.pop(name))
        for name in added:
            self._enter(self._number(name), seed_of(name, self._secret), wanted[name])
        self._weights = wanted
        self._seeds = np.array([seed_of(name, self._secret) for name in wanted], np.uint64)
        self._rates = np.array(list(wanted.values()), np.float64)
        self._orders.clear()
        self._refill()

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        if not self._weights:
            raise LookupError("the table is empty")
        return self._names[self._listed[0][hash_key(key, self._secret) >> 64 - SLOT_BITS]]

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once, in the order of their times."""
        slot = hash_key(key, self._secret) >> 64 - SLOT_BITS
        if slot not in self._orders:
            count = 0
            for row in self._listed:
                number = row[slot]
                if number == _NONE:
                    break
                count += 1
                yield self._names[number]
            if count == len(self._weights):
                return
            yield from self._order(slot)[count:]
        else:
            yield from self._orders[slot]

    def owners(self, hashes: Numbers) -> Names:
        """Return the owner of each key of which the hash is given (`stream.hash_keys`), all at once."""
        return named(self._names, self._who[0, (hashes >> np.uint64(64 - SLOT_BITS)).astype(np.intp)])

    def _number(self, name: NodeName) -> int:
        """Give `name` a number that no other has."""
        if self._unused:
            number = self._unused.pop()
            self._names[number] = name
        else:
            number = len(self._names)
            self._names.append(name)
        self._numbers[name] = number
        return number

    def _enter(self, number: int, seed: int, weight: float) -> None:
        """List a node wherever its time is before the horizon."""
        for begin in range(0, SLOTS, _BLOCK):
            early = mix(self._steps[begin : begin + _BLOCK] + np.uint64(seed))
            fraction = uniform(early)
            # -ln(u) is never less than 1 - u: few slots need the logarithm.
            near = np.flatnonzero((1.0 - fraction) <= self._horizon[begin : begin + _BLOCK] * weight)
            when = -np.log(fraction[near]) / weight
            before = when <= self._horizon[begin + near]
            self._insert(begin + near[before], number, when[before])

    def _insert(self, slots: _Places, number: int, when: Times) -> None:
        """List a node in `slots`: at each depth the earlier stays, and the later goes on."""
        who = np.full(len(slots), number, np.uint16)
        for depth in range(DEPTH):
            held, held_when = self._who[depth, slots], self._when[depth, slots]
            earlier = when < held_when
            self._who[depth, slots] = np.where(earlier, who, held)
            self._when[depth, slots] = np.minimum(when, held_when)
            who = np.where(earlier, held, who)
            when = np.maximum(when, held_when)
        full = slots[when < inf]  # the last of these was pushed out
        self._horizon[full] = self._when[-1, full]

    def _strike(self, number: int) -> None:
        """List a node nowhere any more."""
        slots = np.flatnonzero((self._who == number).any(axis=0))
        who, when = self._who[:, slots], self._when[:, slots]
        gone = (who == number).argmax(axis=0)
        for depth in range(DEPTH - 1):
            later = gone <= depth
            who[depth, later], when[depth, later] = who[depth + 1, later], when[depth + 1, later]
        who[-1], when[-1] = _NONE, inf
        self._who[:, slots], self._when[:, slots] = who, when

    def _refill(self) -> None:
        """Compute the slots anew that list too few nodes."""
        if not self._weights:
            self._horizon[:] = inf
            return
        slots = np.flatnonzero(self._who[min(DEPTH_MIN, len(self._weights)) - 1] == _NONE)
        numbers = np.array([self._numbers[name] for name in self._weights], np.uint16)
        depth = min(DEPTH, len(numbers))
        rows = max(1, _BLOCK // len(numbers))
        for begin in range(0, len(slots), rows):
            some = slots[begin : begin + rows]
            when = times(self._seeds, self._rates, self._steps[some])
            first = np.argpartition(when, depth - 1, axis=1)[:, :depth]
            early = np.take_along_axis(when, first, axis=1)
            order = np.argsort(early, axis=1)
            self._who[:depth, some] = numbers[np.take_along_axis(first, order, axis=1)].T
            self._when[:depth, some] = np.take_along_axis(early, order, axis=1).T
            self._horizon[some] = inf if depth == len(numbers) else self._when[-1, some]

    def _order(self, slot: int) -> list[NodeName]:
        """Return all nodes in the order of their times at `slot`."""
        if len(self._orders) >= ORDERS_MAX:
            self._orders.clear()
        names = list(self._weights)
        when = times(self._seeds, self._rates, np.array([step(slot)], np.uint64))[0]
        order = self._orders[slot] = [names[index] for index in np.argsort(when).tolist()]
        return order
