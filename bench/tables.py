"""Tables of key owners as the cluster grows: the longest turn of a change, a lookup, and the unevenness of shares.

A process hears all nodes at once; then a node joins, becomes heavier, and leaves. Each is done in slices, as a gateway
and a node do it (`Table.work`), and each slice is timed by the CPU that it took. The table's own scatter is the
variation of the shares of keys, less the variation of as many throws of dice; the fullest of 1,000 nodes has 3.24 times
that above its share. The places of Maglev are counted.

    scripts/bench tables [--nodes 100 1000 4000]
"""

import random
import time
import tracemalloc
from collections.abc import Callable
from itertools import islice

import numpy as np
from rich.progress import Progress

from report import Claim, Result, parser, percentile, publish
from ringway.core.hashing import TABLES, Table, make_table
from ringway.core.hashing.maglev import MaglevTable
from ringway.sim.owners import owners_of
from ringway.types import NodeName

LARGEST = 3.24
"""The mean distance of the largest of 1,000 normal numbers from their mean, in standard deviations."""

KEYS = {"rendezvous": 1_000_000, "ring": 10_000_000}
CANDIDATES = 3
HELD_AT = 1000
"""The number of nodes to which the bounds apply."""


def turns_ms(table: Table, weights: dict[NodeName, float]) -> list[float]:
    """Return the CPU time of each turn in which `table` adopts `weights`."""
    turns = []

    def timed(step: Callable[[], object]) -> object:
        began = time.thread_time_ns()
        done = step()
        turns.append((time.thread_time_ns() - began) / 1e6)
        return done

    timed(lambda: table.update(weights))
    while timed(table.work):
        pass
    return turns


def lookups_us(table: Table, rounds: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of the first three nodes of a new key, of the best round."""
    best = (float("inf"), float("inf"))
    for _ in range(rounds):
        times = []
        for number in range(500):
            key = b"user-%d-%d" % (number, random.getrandbits(40))
            began = time.perf_counter_ns()
            list(islice(table.ranked(key), CANDIDATES))
            times.append((time.perf_counter_ns() - began) / 1e3)
        times.sort()
        best = min(best, (percentile(times, 0.5), percentile(times, 0.99)))
    return best


def scatter(kind: str, nodes: int, keys: int) -> float:
    """Return the table's own standard deviation of shares, in parts of a share."""
    table = make_table(kind, b"secret")
    turns_ms(table, {NodeName(f"node-{index}"): 1.0 for index in range(nodes)})
    if isinstance(table, MaglevTable):
        places = np.bincount(table.places)
        return float(places.max() / places.mean() - 1) / LARGEST
    dice = np.random.default_rng(1)
    numbers = {NodeName(f"node-{index}"): index for index in range(nodes)}
    counts = np.zeros(nodes)
    for _ in range(0, keys, 1_000_000):
        owners = owners_of(table, dice.integers(0, 2**64, min(keys, 1_000_000), dtype=np.uint64))
        counts += np.bincount([numbers[owner] for owner in owners.tolist()], minlength=nodes)
    own = counts.var() - counts.mean() * (1 - 1 / nodes)
    return float(np.sign(own) * np.sqrt(abs(own)) / counts.mean())


def main() -> None:
    """Run the benchmark."""
    flags = parser("Tables of key owners: turns, lookups, memory and scatter as the cluster grows.")
    flags.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 4000], help="numbers of nodes")
    arguments = flags.parse_args()
    sizes = [100, 1000] if arguments.quick else arguments.nodes
    rounds = 5 if arguments.quick else 30
    columns = ["", "start ms", "longest", "join ms", "longest", "heavier ms", "longest", "leave ms", "longest"]
    result = Result("tables of key owners", [*columns, "3 nodes µs", "p99", "MB", "scatter %"])
    with Progress(transient=True) as progress:
        bar = progress.add_task("tables", total=len(sizes) * len(TABLES))
        for nodes in sizes:
            for kind in TABLES:
                _measure(result, kind, nodes, rounds, quick=arguments.quick)
                progress.advance(bar)
    result.settings = {"nodes": sizes, "keys": KEYS}
    publish(result, arguments.json)


def _measure(result: Result, kind: str, nodes: int, rounds: int, *, quick: bool) -> None:
    weights = {NodeName(f"node-{index}"): 1.0 + index % 3 for index in range(nodes)}
    heavier = {**weights, NodeName("newcomer"): 2.0}
    table = make_table(kind, b"secret")
    row: list[object] = [f"{kind}, {nodes:,}"]
    for change, target in (
        ("start", weights), ("join", {**weights, NodeName("newcomer"): 1.0}), ("heavier", heavier), ("leave", weights),
    ):  # fmt: skip
        turns = turns_ms(table, target)
        row += [sum(turns), max(turns)]
        if nodes == HELD_AT:
            result.claims.append(Claim(f"longest turn ms, {kind}, {nodes:,} nodes, {change}", max(turns), at_most=20.0))
    row += lookups_us(table, rounds)
    tracemalloc.start()
    kept = make_table(kind, b"secret")
    turns_ms(kept, weights)
    row.append(tracemalloc.get_traced_memory()[0] / 1e6)
    tracemalloc.stop()
    own = scatter(kind, nodes, 1_000_000 if quick else KEYS.get(kind, 0))
    row.append(100 * own)
    if nodes == HELD_AT:
        result.claims.append(Claim(f"fullest of {nodes:,} above its share %, {kind}", 100 * LARGEST * own, at_most=3.0))
    result.rows.append(row)


if __name__ == "__main__":
    main()
