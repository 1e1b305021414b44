"""Tables of the owners of keys, beside uhashring (PyPI) in the same run: their costs, and the keys that they move.

Lookups and changes are timed with a hundred nodes (changes with ten as well), the best of several rounds, in turns.
Shares and movement are counted over keys: the fullest of twenty nodes against the average; the keys that move when a
node joins, against the ideal; and the moves between two nodes that stay. Then a node becomes lighter and leaves: a
lookup that fails, or names a node that has left, is counted (older uhashring: nearly half).

    scripts/bench hashing [--keys 100000] [--rounds 5]
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import uhashring
from rich.progress import Progress

from report import Claim, Result, parser, publish
from ringway.core.hashing import TABLES, Table, complete, make_table
from ringway.types import NodeName

PEERS = ("uhashring", "uhashring ketama")
LOOKUP_KEYS = 20_000
LOOKUP_PART = 2000


class Contestant(Protocol):
    """The operations of each table: to follow its members, and to return the owner of a key."""

    def update(self, weights: Mapping[str, int]) -> None: ...

    def owner(self, key: str) -> str: ...


class Ours:
    """A table of ours; keys come as text and are encoded here, so that the peers' hashing of text is matched."""

    def __init__(self, kind: str) -> None:
        self._table: Table = make_table(kind, b"secret")

    def update(self, weights: Mapping[str, int]) -> None:
        complete(self._table, {NodeName(name): float(weight) for name, weight in weights.items()})

    def owner(self, key: str) -> str:
        return self._table.owner(key.encode())


class Peer:
    """uhashring, changed as its documentation says: a node is added again to change its weight."""

    def __init__(self, kind: str) -> None:
        self._ring = uhashring.HashRing(hash_fn="ketama") if kind.endswith("ketama") else uhashring.HashRing()
        self._weights: dict[str, int] = {}

    def update(self, weights: Mapping[str, int]) -> None:
        for name in self._weights.keys() - weights.keys():
            self._ring.remove_node(name)
        for name, weight in weights.items():
            if self._weights.get(name) != weight:
                self._ring.add_node(name, {"weight": weight})
        self._weights = dict(weights)

    def owner(self, key: str) -> str:
        owner: str = self._ring.get_node(key)
        return owner


def contestant(kind: str, weights: Mapping[str, int]) -> Contestant:
    """Return a contestant that knows the nodes `weights`."""
    made: Contestant = Peer(kind) if kind in PEERS else Ours(kind)
    made.update(weights)
    return made


def nodes(count: int) -> dict[str, int]:
    """`count` nodes of weight 1."""
    return {f"node-{index}": 1 for index in range(count)}


def milliseconds(action: Callable[[], object]) -> float:
    """The duration of `action`."""
    began = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - began) / 1e6


def lookup_us(table: Contestant, keys: list[str]) -> float:
    """The average time of a lookup, in the best part of `keys`."""
    owner = table.owner

    def look_up(part: list[str]) -> None:
        for key in part:
            owner(key)

    parts = [keys[begin : begin + LOOKUP_PART] for begin in range(0, len(keys), LOOKUP_PART)]
    return min(milliseconds(lambda part=part: look_up(part)) * 1e3 / len(part) for part in parts)


def added_ms(table: Contestant, count: int) -> float:
    """The time to add a node to `count` nodes; it is removed again."""
    more = nodes(count) | {"newcomer": 1}
    took = milliseconds(lambda: table.update(more))
    table.update(nodes(count))
    return took


def spread(kind: str, keys: list[str]) -> tuple[float, float, float]:
    """With 20 nodes: the fullest against the average. With 21: moved against ideal, and collateral in percent."""
    table = contestant(kind, nodes(20))
    before = [table.owner(key) for key in keys]
    fullest = max(Counter(before).values()) * 20 / len(keys)
    table.update(nodes(20) | {"newcomer": 1})
    moves = [now for was, now in zip(before, map(table.owner, keys), strict=True) if was != now]
    collateral = sum(now != "newcomer" for now in moves)
    return fullest, len(moves) * 21 / len(keys), 100 * collateral / len(keys)


def wrong_after_lighter(kind: str, keys: list[str]) -> int:
    """The number of wrong lookups after one of four nodes was made lighter, from 10 to 2, and then left."""
    table = contestant(kind, nodes(3) | {"heavy": 10})
    table.update(nodes(3) | {"heavy": 2})
    table.update(nodes(3))
    wrong = 0
    for key in keys:
        try:
            wrong += table.owner(key) not in nodes(3)
        except KeyError:
            wrong += 1
    return wrong


def main() -> None:
    """Run the benchmark."""
    flags = parser("Hash tables: lookups, changes, shares and movement, beside uhashring.")
    flags.add_argument("--keys", type=int, default=100_000, help="keys whose owners are compared")
    flags.add_argument("--rounds", type=int, default=5, help="rounds of which the best counts")
    arguments = flags.parse_args()
    keys = [f"user-{index}" for index in range(20_000 if arguments.quick else arguments.keys)]
    rounds = 2 if arguments.quick else arguments.rounds
    kinds = (*TABLES, *PEERS)
    best = {kind: [float("inf")] * 3 for kind in kinds}
    result = Result(
        "hashing: whose a key is",
        ["", "lookup µs", "add to 10 ms", "add to 100 ms", "max/avg", "moved/ideal", "collateral %", "wrong"],
    )
    with Progress(transient=True) as progress:
        bar = progress.add_task("hashing", total=len(kinds) * (rounds + 1))
        ten = {kind: contestant(kind, nodes(10)) for kind in kinds}
        hundred = {kind: contestant(kind, nodes(100)) for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                times = (
                    lookup_us(hundred[kind], keys[:LOOKUP_KEYS]),
                    added_ms(ten[kind], 10),
                    added_ms(hundred[kind], 100),
                )
                best[kind] = [min(pair) for pair in zip(best[kind], times, strict=True)]
                progress.advance(bar)
        wrong = {}
        for kind in kinds:
            wrong[kind] = wrong_after_lighter(kind, keys[:2000])
            result.rows.append([kind, *best[kind], *spread(kind, keys), f"{wrong[kind]} of 2000"])
            progress.advance(bar)
    for kind in TABLES:
        result.claims.append(Claim(f"lookup among 100 µs, {kind}", best[kind][0], at_most=10.0))
        result.claims.append(Claim(f"wrong lookups after a lighter weight, {kind}", wrong[kind], at_most=0))
    for kind in ("rendezvous", "ring"):
        result.claims.append(Claim(f"node added to 100, {kind} ms", best[kind][2], at_most=20.0))
    result.settings = {"keys": len(keys), "rounds": rounds, "uhashring": uhashring_version()}
    publish(result, arguments.json)


def uhashring_version() -> str:
    """The version of the reference."""
    from importlib.metadata import version

    return version("uhashring")


if __name__ == "__main__":
    main()
