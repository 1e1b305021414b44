"""Placement by key: one key goes to one node while the node has room, and a change of members moves few keys.

The base of `ring`, `rendezvous` and `maglev`, which differ in their table of owners (`core.hashing`).

Load is bounded (Mirrokni, Thorup and Zadimoghaddam, SODA 2018): no node is given more than its cap

    cap = ceil(c * (total load + 1) * weight / sum of weights)

so that a busy key cannot fill its node. A key goes to the first node of its order that is ready and below its cap:
one key spills to the same few nodes, always in the same order. All caps together exceed the load for any c >= 1, so
there is always a node below its cap. If all nodes below their caps are barred or paced (which overrides the bound:
`core.load.slow_start`), the caps are computed among the ready nodes alone.

A small c makes loads even, a large c holds keys together: with uniform keys c = 1.25 places 99.9 % at their owner; with
rooms of very different size a room is on 1.2 nodes on average. While few clients are connected, caps are small numbers,
and clients with the same key are spread. With c = 0 there is no cap: the owner gets the key unless it is barred,
without regard to its load and its pace (`core.load.slow_start`).

Keys are placed by the nodes' own weights: the slow weight loop must not move keys around. A client without a key gets
a random one.
"""

from collections.abc import Iterable
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ringway.core.hashing import make_table
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.key import DEFAULT_KEY, parse_key
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.errors import ConfigError
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

UNBOUNDED = 1 << 62
"""The room of a node that has no cap."""

_EXACT = 1.0 - 1e-12
"""A product that rounding has brought above a whole number must not allow one more client."""


class KeyedOptions(Options, frozen=True, kw_only=True):
    """The options of policies by key."""

    key: Annotated[
        str,
        msgspec.Meta(description="where a client's key comes from"),
    ] = DEFAULT_KEY
    c: Annotated[
        float,
        msgspec.Meta(
            description="the most that a node is filled, in fair shares; 0: keys stay with their owner at any load",
            ge=0.0,
            le=1000.0,
        ),
    ] = 1.25

    def __post_init__(self) -> None:
        parse_key(self.key)
        if 0.0 < self.c < 1.0:
            raise ConfigError(
                f"the option c={self.c:g} leaves no room for all clients; give 1 or more, or 0 for no bound"
            )


class Keyed:
    """Base of the policies by key. `secret` keys the hash."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]] = KeyedOptions
    rule: ClassVar[str] = "of the nodes in the key's order, the first that is below its cap"
    measure: ClassVar[str] = "load / cap"
    table: ClassVar[str]

    def __init__(self, options: KeyedOptions, secret: bytes) -> None:
        self.c = options.c
        self.key_text = options.key
        self._table = make_table(self.table, secret)
        self._version = -1
        self._weights = 0.0

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. Alternates are the next nodes in the key's order that are below their caps.

        If few of the first nodes are, alternates are random nodes that were not considered.
        """
        if view.version != self._version:
            self._follow(view)
        if not view.eligible:
            return last_resort(view, count)
        key = key if key is not None else rng.randbytes(8)
        pick = self._within_caps(view, key, count) if self.c else self._owners(view, key, count)
        if len(pick.nodes) == count:
            return pick
        if not pick.nodes:
            return last_resort(view, count)
        seen = pick.compared
        others = with_alternates(view, seen, len(seen) + count - len(pick.nodes), rng)[len(seen) :]
        return Pick([*pick.nodes, *others], seen)

    def prepare(self, view: LoadView) -> bool:
        """Do a few milliseconds of what is left to do for the table of owners; return True if there is more.

        A pick does not wait for it: see `core.hashing.sliced`.
        """
        if view.version != self._version:
            self._follow(view)
        return self._table.work()

    @property
    def building(self) -> bool:
        """True if the table of owners is not whole: keys are placed as `core.hashing.sliced` says."""
        return not self._table.whole

    def complete(self, view: LoadView) -> None:
        """Bring the table of owners up to date at once, however long that takes."""
        while self.prepare(view):
            pass

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`. Below 1 there is room; without a cap, the load itself."""
        if not self.c:
            return node.load
        weights = sum(other.weight_own for other in view.eligible)
        return node.load / max(1, cap(self.c, view.total + 1, node.weight_own, weights))

    def _follow(self, view: LoadView) -> None:
        """Update the table with the nodes of `view` and their weights."""
        weights = {node.name: node.weight_own for node in view.eligible}
        self._table.update(weights)
        self._weights = sum(weights.values())
        self._version = view.version

    def _within_caps(self, view: LoadView, key: bytes, count: int) -> Pick:
        """Place by the caps: among the first nodes of the key's order, else among all, else among the ready nodes."""
        allowed = self.c * (view.total + 1) / self._weights * _EXACT
        pick = _walk(view, self._table.first(key), count, allowed)
        pick = pick if pick.nodes else _walk(view, self._table.ranked(key), count, allowed)
        return pick if pick.nodes else self._among_ready(view, key, count)

    def _among_ready(self, view: LoadView, key: bytes, count: int) -> Pick:
        """Place if no node below its cap is ready: by the caps that the ready nodes have among themselves."""
        ready = [node for node in view.eligible if node.ready]
        if not ready:
            return Pick((), ())
        load = sum(node.load for node in ready)
        allowed = self.c * (load + 1) / sum(node.weight_own for node in ready) * _EXACT
        return _walk(view, self._table.ranked(key), count, allowed)

    def _owners(self, view: LoadView, key: bytes, count: int) -> Pick:
        """Place without a cap: at the first nodes that may take clients."""
        for names in (self._table.first(key), self._table.ranked(key)):
            found = list(islice((node for node in map(view.nodes.__getitem__, names) if not node.barred), count))
            if found:
                return Pick(found, found)
        return Pick((), ())


def _walk(view: LoadView, names: Iterable[NodeName], count: int, allowed: float) -> Pick:
    """Return the first nodes of `names` that are ready, with less than `allowed` a unit of weight."""
    found: list[NodeLoad] = []
    seen: list[NodeLoad] = []
    nodes = view.nodes
    for name in names:
        node = nodes[name]
        seen.append(node)
        if node.load < allowed * node.weight_own and node.ready:  # as good as load < cap: loads are whole numbers
            found.append(node)
            if len(found) == count:
                break
    return Pick(found, seen)


def cap(c: float, load: int, weight: float, weights: float) -> int:
    """Return the most clients of `load` that a node of `weight`, of all `weights`, may hold."""
    return ceil(c * load / weights * weight * _EXACT)


def room(view: LoadView, c: float) -> dict[NodeName, int]:
    """Return the number of connections that each eligible node may still get by its cap, for moves without newcomers.

    Never negative; 0 for a node that may get no newcomers; `UNBOUNDED` if `c` is 0 and the node has no maximum.
    """
    weights = sum(node.weight_own for node in view.eligible)
    rooms: dict[NodeName, int] = {}
    for node in view.eligible:
        left = cap(c, view.total, node.weight_own, weights) - node.load if c else UNBOUNDED
        most = node.report.connections_max if node.report is not None else 0
        if most:
            left = min(left, most - node.load)
        rooms[node.name] = 0 if node.barred else max(0, left)
    return rooms
