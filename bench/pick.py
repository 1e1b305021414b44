"""Cost of the choice of a node among a hundred, by each policy, and of the change of the hash ring by one node.

A pick is what the gateway asks for: a node and two alternates. Between picks the place is held, so that loads change as
they do in life. Each policy has several rounds, and its best round counts: time of other processes in the middle of
a pick does not belong to the policy. (All rounds are in the table's last column.) Each pick includes the work beside
the policy: nodes are woken whose pace allows a further client.

    scripts/bench pick [--nodes 100] [--picks 5000] [--rounds 20]
"""

import random
import time
from collections.abc import Callable

from rich.progress import Progress

from report import Claim, Result, parser, percentile, publish
from ringway.core.hashing import complete
from ringway.core.hashing.ring import HashRing
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.catalog import POLICIES, make_policy
from ringway.core.placement.keyed import Keyed
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role

CANDIDATES = 3
ARRIVALS_PER_S = 5000.0
SPECS = {"score": "score:call=pick:fullness"}
"""The options of policies that need some."""


def view_of(nodes: int) -> LoadView:
    """A gateway's view of `nodes` nodes with weights 1 to 3 and various numbers of connections."""
    view = LoadView(Issuer("ffffffff"))
    chance = random.Random(nodes)
    for index in range(nodes):
        report = Report(
            name=NodeName(f"node-{index}"), incarnation=Incarnation(f"{index:08x}"), role=Role.NODE, seq=1, url="",
            weight=1.0 + index % 3, connections=1000 + index * 37 % 500, accept_per_s=500.0,
            utilisation={"cpu": chance.random(), "memory": chance.random()},
        )  # fmt: skip
        view.reported(report, 0.0)
        view.nodes[report.name].response.observe(chance.uniform(0.002, 0.02), 0.0)
    return view


def picks(name: str, nodes: int, count: int, seed: int) -> list[float]:
    """Return the sorted times of `count` picks in µs."""
    view = view_of(nodes)
    policy = make_policy(SPECS.get(name, name), b"secret", lambda call: fullness)
    rng = random.Random(seed)
    keys = [b"user-%d" % rng.randrange(10**9) for _ in range(count)]
    clock = time.perf_counter_ns
    times = []
    now = 20.0  # the time from which learned values count
    view.wake(now)
    if isinstance(policy, Keyed):
        policy.complete(view)
    policy.pick(view, b"first", rng, CANDIDATES)
    for key in keys:
        now += 1 / ARRIVALS_PER_S
        began = clock()
        view.wake(now)
        ranked = policy.pick(view, key, rng, CANDIDATES).nodes
        times.append((clock() - began) / 1e3)
        view.place(ranked[0], now)
    return sorted(times)


def fullness(node: NodeLoad, view: LoadView) -> float:
    """A typical score of a user."""
    return (node.load + 1) / node.weight


def ring_changes(nodes: int, rounds: int) -> dict[str, list[float]]:
    """Return the sorted times in ms of each kind of change."""
    weights = {NodeName(f"node-{index}"): 1.0 for index in range(nodes)}
    more = weights | {NodeName("newcomer"): 1.0}
    heavier = weights | {NodeName("node-0"): 2.0}
    times: dict[str, list[float]] = {"add a node": [], "remove a node": [], "change a weight": [], "build anew": []}

    def timed(what: str, change: Callable[[], object]) -> None:
        began = time.perf_counter_ns()
        change()
        times[what].append((time.perf_counter_ns() - began) / 1e6)

    ring = HashRing(weights, b"secret")
    for _ in range(rounds):
        timed("add a node", lambda: complete(ring, more))
        timed("remove a node", lambda: complete(ring, weights))
        timed("change a weight", lambda: complete(ring, heavier))
        complete(ring, weights)
        timed("build anew", lambda: HashRing(weights, b"secret"))
    return {what: sorted(values) for what, values in times.items()}


def main() -> None:
    """Run the benchmark."""
    flags = parser("Time of a pick by each policy, and of a change of the ring.")
    flags.add_argument("--nodes", type=int, default=100, help="nodes known to the gateway")
    flags.add_argument("--picks", type=int, default=5000, help="picks a round")
    flags.add_argument("--rounds", type=int, default=20, help="rounds of which the best counts")
    arguments = flags.parse_args()
    count = 2000 if arguments.quick else arguments.picks
    rounds = 5 if arguments.quick else arguments.rounds
    result = Result(f"pick: one of {arguments.nodes} nodes", ["", "unit", "p50", "p99", "p99 of all rounds"])
    with Progress(transient=True) as progress:
        bar = progress.add_task("picking", total=len(POLICIES) * rounds + 1)
        for name in POLICIES:
            measured = []
            for seed in range(rounds):
                measured.append(picks(name, arguments.nodes, count, seed))
                progress.advance(bar)
            best = min(measured, key=lambda times: percentile(times, 0.99))
            every = sorted(time for times in measured for time in times)
            p99 = percentile(best, 0.99)
            result.rows.append([name, "µs", percentile(best, 0.5), p99, percentile(every, 0.99)])
            result.claims.append(Claim(f"pick p99 µs, {name}", p99, at_most=10.0))
        changes = [ring_changes(arguments.nodes, 10) for _ in range(2 if arguments.quick else 10)]
        progress.advance(bar)
    for what in changes[0]:
        times = min((measured[what] for measured in changes), key=lambda times: percentile(times, 0.99))
        slowest = max(measured[what][-1] for measured in changes)
        result.rows.append([f"ring: {what}", "ms", percentile(times, 0.5), percentile(times, 0.99), slowest])
        if what != "build anew":  # done once, at the first pick
            result.claims.append(Claim(f"ring change p99 ms, {what}", percentile(times, 0.99), at_most=20.0))
    result.settings = {"nodes": arguments.nodes, "picks": count, "rounds": rounds, "candidates": CANDIDATES}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
