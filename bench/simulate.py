"""Duration of simulations: a million connections, a hundred million in classes, and keys by the million.

One core. The first two parts run the product's own membership, views, policies and balancer for every member; the third
asks the real tables. Keys scale linearly, so a hundred million take a hundred times one million; their memory does not
grow. In the large world a hundred nodes join a thousand with 10^8 connections, to the last move of nine million. The
bounds are of CPU seconds: on a machine with other work the time on the clock says little.

    scripts/bench simulate [--connections 1000000] [--nodes 100] [--add 10] [--keys 10000000] [--part large]
"""

import resource
import time
from functools import partial

from rich.progress import Progress, TaskID

from report import Claim, Result, parser, publish
from ringway.sim.contender import make_contenders
from ringway.sim.placement import place_keys
from ringway.sim.run import simulate
from ringway.sim.scenario import Scenario, make_scenario
from ringway.types import NodeName

POLICIES = ["two-choices", "least-connected", "rendezvous"]
TABLES = ["rendezvous", "ring", "maglev", "modulo"]
PARTS = ("small", "large", "keys")
LARGE = {"nodes": 1000, "add": 100, "connections": 100_000_000, "balance": {"stop_below": 0.0}}
LARGE_QUICK = {"nodes": 100, "add": 10, "connections": 10_000_000, "seconds": 60}


def main() -> None:
    flags = parser(__doc__ or "")
    flags.add_argument("--connections", type=int, default=1_000_000)
    flags.add_argument("--nodes", type=int, default=100)
    flags.add_argument("--add", type=int, default=10)
    flags.add_argument("--keys", type=int, default=10_000_000)
    flags.add_argument("--part", choices=PARTS, help="only this part")
    given = flags.parse_args()
    if given.quick:
        given.connections, given.keys = given.connections // 20, given.keys // 20
    parts = [given.part] if given.part else PARTS
    result = Result(
        "simulate",
        ["what", "simulated", "took s", "CPU s", "moves", "moves / least", "collateral", "a key ns", "memory MiB"],
    )
    result.settings = {name: getattr(given, name) for name in ("connections", "nodes", "add", "keys")}
    with Progress(transient=True) as bars:
        if "small" in parts:
            scenario = make_scenario({"nodes": given.nodes, "connections": given.connections, "add": given.add})
            play(result, scenario, POLICIES, 60, bars)
        if "large" in parts:
            play(result, make_scenario(LARGE_QUICK if given.quick else LARGE), POLICIES[:1], 600, bars)
        result.claims.append(Claim("memory in MiB of the simulations, at most,", memory_mib(), 1500))
        if "keys" in parts:
            place(result, given.keys, given.nodes, bars)
            result.claims.append(Claim("memory in MiB, at most,", memory_mib(), 1500))
    publish(result, given.json)


def play(result: Result, scenario: Scenario, policies: list[str], seconds: float, bars: Progress) -> None:
    """Run each of `policies` through `scenario`, in `seconds` at most."""
    for contender in make_contenders(policies, [], [], scenario.balance):
        task = bars.add_task(f"{scenario.connections:,} with {contender.name}", total=None)
        cpu = time.process_time()
        run = simulate(scenario, contender, partial(show, bars, task))
        cpu = round(time.process_time() - cpu, 1)
        what = f"{scenario.add} join {scenario.nodes}, {scenario.connections:.0e}, {run.name}"
        result.rows.append(
            [what, f"{run.seconds:.0f} s", run.took_s, cpu, run.moves, run.moves_per_minimum, run.collateral, "",
             memory_mib()]
        )  # fmt: skip
        result.claims.append(Claim(f"CPU seconds for {scenario.connections:,} connections, {run.name},", cpu, seconds))


def show(bars: Progress, task: TaskID, now: float) -> None:
    """Show the simulated time."""
    bars.update(task, description=f"{now:,.0f} s simulated")


def place(result: Result, keys: int, nodes: int, bars: Progress) -> None:
    """Ask each table for the owners of `keys` keys."""
    weights = {NodeName(f"node-{number}"): 1.0 for number in range(nodes)}
    task = bars.add_task("placing keys", total=len(TABLES))
    for name in TABLES:
        cpu = time.process_time()
        placed = place_keys(name, keys, weights, 1)
        cpu = round(time.process_time() - cpu, 1)
        ratio = (placed.moved_on_join or 0) / placed.least_on_join
        result.rows.append(
            [f"keys, {name}", f"{keys:,}", placed.took_s, cpu, "", round(ratio, 3),
             f"{placed.collateral_on_join or 0:.3%}", placed.ns_per_key, memory_mib()]
        )  # fmt: skip
        bars.advance(task)


def memory_mib() -> float:
    """The peak memory of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
