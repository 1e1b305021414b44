"""Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by Schindelhauer and Schomaker 2005), exactly.

Each node draws a random time for each key, exponentially distributed with its weight as the rate: -ln(1 - v) / weight.
The earliest owns the key, the second inherits it, and so on. Hence a node's share is its weight's share, exactly and
for any real weight; a new node only gains keys, a node that leaves or becomes lighter only loses keys; and owners
depend on the present nodes, their weights and the secret alone. Nothing is stored for a key, and nothing is built.

The draw of a node is v = (a x + b mod 2^32) / 2^32: x are 30 bits of the key's hash, a and b belong to the node, random
like a hash. The draws of two keys at one node are independent, but for their last j bits if 2^j divides the difference
of their x; and so are their owners. So a node's share of K keys scatters as K throws of dice do, and the table adds
nothing to that.

All nodes draw at once, each in its own lane of one large integer, which Python multiplies, adds and compares at the
speed of C: nodes whose time is below a common horizon show as a bit of their lane. A first horizon is met by `_FIRST`
nodes on average, the next by `_FURTHER` times as many. Only for the nodes that show a time is computed.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from math import expm1, inf, log1p
from typing import ClassVar, NamedTuple

from ringway.core.hashing.digest import begin_hash, hash_key, hash_name, table_secret
from ringway.types import NodeName

_FIRST = 3.0
"""Nodes that meet the first horizon, on average."""

_FURTHER = 2.0
_ENOUGH = 8
"""Nodes of which the order is computed for the second horizon; if there are more, for the first."""

_MANY = 256
"""Nodes from which on guards are searched as bytes."""

KEY_SHIFT = 64 - 30
"""The draws use the first 30 bits of a key's hash: one digit of Python's integers."""

DRAW_BITS = 32
DRAW_SCALE = -(2.0**-DRAW_BITS)
"""-v is this times a draw and a half: never 0, never -1."""

_LOW = (1 << DRAW_BITS) - 1
_GUARD = 1 << DRAW_BITS
_LANE = 8  # bytes: a x + b has less than 63 bits
_BITS = 8 * _LANE
_GUARD_BYTE = DRAW_BITS // 8


class Lane(NamedTuple):
    """The constants of a node's draws."""

    factor: int  # the a and b of the draw
    offset: int
    scale: float  # -1 / weight
    name: NodeName


class RendezvousTable:
    """The owners of all keys, for one set of nodes and weights. Whole at any time."""

    moves_least: ClassVar[bool] = True

    def __init__(self, weights: Mapping[NodeName, float], secret: bytes = b"") -> None:
        self._secret = table_secret(secret)
        self._begun = begin_hash(self._secret)
        self._weights: dict[NodeName, float] = {}
        self.lanes: list[Lane] = []
        """The constants of the nodes' draws."""
        self._factors = self._offsets = self._lows = self._guards = 0  # in lanes
        self._size = 0  # of these, in bytes
        self._horizons: list[int] = []
        self._by_name: dict[NodeName, Lane] | None = None
        self._near: tuple[int, int] | None = None  # the horizons of `first`, when they are known
        self.update(weights)

    @property
    def weights(self) -> Mapping[NodeName, float]:
        """The nodes of the table and their weights."""
        return self._weights

    @property
    def whole(self) -> bool:
        """See `Table.whole`: at any time."""
        return True

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Make the table hold exactly `weights`; nodes with weight 0 own nothing."""
        wanted = {name: weight for name, weight in weights.items() if weight > 0}
        if wanted == self._weights:
            return
        draws = {lane.name: (lane.factor, lane.offset) for lane in self.lanes}
        self._weights = wanted
        self.lanes = [
            Lane(*(draws.get(name) or draw_of(name, self._secret)), -1.0 / weight, name)
            for name, weight in wanted.items()
        ]
        self._factors = _packed([lane.factor.to_bytes(_LANE, "little") for lane in self.lanes])
        self._offsets = _packed([lane.offset.to_bytes(_LANE, "little") for lane in self.lanes])
        self._lows = _packed([_LOW.to_bytes(_LANE, "little")] * len(wanted))
        self._guards = _packed([_GUARD.to_bytes(_LANE, "little")] * len(wanted))
        self._size = _LANE * len(wanted)
        self._horizons = []
        self._near = None
        self._by_name = None

    def work(self) -> bool:
        """See `Table.work`: there is nothing to build."""
        return False

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        for name in self.first(key):
            return name
        raise LookupError("the table is empty")

    def owner_among(self, key: bytes, names: Collection[NodeName]) -> NodeName:
        """Return the node that owns `key`, of which it is known that it is among `names`: few draws are made."""
        x = hash_key(key, self._begun) >> KEY_SHIFT
        if self._by_name is None:
            self._by_name = {lane.name: lane for lane in self.lanes}
        return min([self._by_name[name] for name in names], key=lambda lane: _time(lane, x)).name

    def first(self, key: bytes) -> list[NodeName]:
        """Return the first nodes of `ranked`: those before a near horizon, at least one if there is one."""
        x = hash_key(key, self._begun) >> KEY_SHIFT
        nearest, usual = self._near or self._set_near()
        drawn = self._factors * x + self._offsets & self._lows
        shown = usual - drawn & self._guards
        if shown.bit_count() > _ENOUGH:
            shown = nearest - drawn & self._guards or shown
        return self._in_order(x, shown) if shown else list(islice(self.ranked(key), 1))

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once, in the order of their times."""
        x = hash_key(key, self._begun) >> KEY_SHIFT
        drawn = self._factors * x + self._offsets & self._lows
        before = index = 0
        while before != self._guards:
            near = self._horizon(index) - drawn & self._guards
            yield from self._in_order(x, near ^ before)
            before = near
            index += 1

    def _in_order(self, x: int, guards: int) -> list[NodeName]:
        """Return the nodes whose guards are set, in the order of their times."""
        lanes = self.lanes
        times = []
        for index in _few(guards) if len(lanes) < _MANY else _many(guards, self._size):
            factor, offset, scale, name = lanes[index]
            times.append((log1p(((factor * x + offset & _LOW) + 0.5) * DRAW_SCALE) * scale, name))
        times.sort()
        return [name for _, name in times]

    def _horizon(self, index: int) -> int:
        """Return for each lane its guard and the largest draw that comes before the horizon `index`."""
        while len(self._horizons) <= index:
            many = _FIRST * _FURTHER ** len(self._horizons)
            when = many / sum(self._weights.values()) if many < len(self.lanes) else inf
            raw = {weight: _horizon_raw(weight, when) for weight in set(self._weights.values())}
            self._horizons.append(_packed([raw[weight] for weight in self._weights.values()]))
        return self._horizons[index]

    def _set_near(self) -> tuple[int, int]:
        self._near = self._horizon(0), self._horizon(1)
        return self._near


def _horizon_raw(weight: float, when: float) -> bytes:
    last = int(-expm1(-weight * when) / -DRAW_SCALE - 0.5)
    return (_GUARD + last).to_bytes(_LANE, "little")


def draw_of(name: NodeName, secret: bytes) -> tuple[int, int]:
    """Return the factor and the offset of the draws of `name`."""
    raw = hash_name(name, secret)
    return int.from_bytes(raw[:4], "little"), int.from_bytes(raw[4:8], "little")


def _time(lane: Lane, x: int) -> tuple[float, NodeName]:
    draw = lane.factor * x + lane.offset & _LOW
    return log1p((draw + 0.5) * DRAW_SCALE) * lane.scale, lane.name


def _few(guards: int) -> list[int]:
    """Return the numbers of the lanes whose guards are set: quick if the integer is small."""
    found = []
    while guards:
        guard = guards.bit_length() - 1
        guards ^= 1 << guard
        found.append(guard // _BITS)
    return found


def _many(guards: int, size: int) -> list[int]:
    """Return the same as `_few`: quick if the integer is large, of `size` bytes."""
    shown = guards.to_bytes(size, "little")[_GUARD_BYTE::_LANE]
    found = []
    at = shown.find(1)
    while at >= 0:
        found.append(at)
        at = shown.find(1, at + 1)
    return found


def _packed(lanes: list[bytes]) -> int:
    return int.from_bytes(b"".join(lanes), "little")
