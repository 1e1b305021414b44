"""How long the simulator takes: a million connections on a hundred nodes through a scale-out, and keys by the million.

One core. The first part runs the product's own membership, views, policies and balancer for every member; the second
asks the real tables. Keys scale linearly, so a hundred million take a hundred times one million; their memory does not
grow.

    scripts/bench simulate [--connections 1000000] [--nodes 100] [--add 10] [--keys 10000000]
"""

import resource

from rich.progress import Progress

from report import Claim, Result, parser, publish
from ringway.sim.contender import make_contenders
from ringway.sim.placement import place_keys
from ringway.sim.run import simulate
from ringway.sim.scenario import make_scenario
from ringway.types import NodeName

POLICIES = ["two-choices", "least-connected", "rendezvous"]
TABLES = ["rendezvous", "ring", "maglev", "modulo"]


def main() -> None:
    flags = parser(__doc__ or "")
    flags.add_argument("--connections", type=int, default=1_000_000)
    flags.add_argument("--nodes", type=int, default=100)
    flags.add_argument("--add", type=int, default=10)
    flags.add_argument("--keys", type=int, default=10_000_000)
    given = flags.parse_args()
    if given.quick:
        given.connections, given.keys = given.connections // 20, given.keys // 20
    scenario = make_scenario({"nodes": given.nodes, "connections": given.connections, "add": given.add})
    weights = {NodeName(f"node-{number}"): 1.0 for number in range(given.nodes)}
    result = Result(
        "simulate", ["what", "simulated", "took s", "moves / least", "collateral", "a key ns", "memory MiB"]
    )
    result.settings = {name: getattr(given, name) for name in ("connections", "nodes", "add", "keys")}
    with Progress(transient=True) as bars:
        task = bars.add_task("simulating", total=len(POLICIES) + len(TABLES))
        for contender in make_contenders(POLICIES, [], [], scenario.balance):
            run = simulate(scenario, contender)
            result.rows.append(
                [f"scale-out, {run.name}", f"{run.seconds:.0f} s", run.took_s, run.moves_per_minimum, run.collateral,
                 "", memory_mib()]
            )  # fmt: skip
            result.claims.append(Claim(f"seconds for {given.connections:,} connections, {run.name},", run.took_s, 60))
            bars.advance(task)
        for name in TABLES:
            keys = place_keys(name, given.keys, weights, 1)
            ratio = (keys.moved_on_join or 0) / keys.least_on_join
            result.rows.append(
                [f"keys, {name}", f"{given.keys:,}", keys.took_s, round(ratio, 3),
                 f"{keys.collateral_on_join or 0:.3%}", keys.ns_per_key, memory_mib()]
            )  # fmt: skip
            bars.advance(task)
    result.claims.append(Claim("memory in MiB, at most,", memory_mib(), 1500))
    publish(result, given.json)


def memory_mib() -> float:
    """The most memory this process has held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
