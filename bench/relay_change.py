"""Cost of relays beside an older checkout: CPU per round trip and memory per connection, both beside HAProxy.

The older checkout has a `.venv` of its own (`git worktree add --detach ../before COMMIT`, then `scripts/bench`
there). Its gateway, that of this checkout, and HAProxy run at the same time, on one core, and take turns of a quarter
of a second, forwards and backwards (ABBA), so that a disturbance hits all. All are started several times: one start
of the same code may cost two percent more than the next. CPU is the time on the core as the kernel counts it
(schedstat). Each round's cost is divided by that of the older checkout, and by that of HAProxy, in the same round. A
row has the medians of these ratios, each with the range in which it is with 95 %.

    scripts/bench relay_change --before ../before [--payloads 64 16384] [--connections 100 1000] [--starts 3]

`--over node` measures relays to a channel node, each checkout over its own; a round trip is a publication.
"""

import contextlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.progress import Progress

from relay import PAYLOAD, REFERENCE, Bench, Running, cores
from relay_systems import PYTHON, SYSTEMS, System, family, ringway
from report import Claim, Result, parser, publish
from support.system import NODE_PORTS, free_port, wait_for
from support.system import System as Members

BEFORE = "before"
COST_MAX = 1.03
MEMORY_MAX_KIB = 0.3
NO_SHEDDING = {"RINGWAY_NODE_SHED_HANDSHAKES": "false"}
"""A node takes as many clients at once as the load opens."""


@contextlib.contextmanager
def node_system(python: str) -> Iterator[Members]:
    """Yield NATS, a gateway and a node of the checkout with the interpreter `python`."""
    port, admin_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory:
        members = Members(Path(directory), port, admin_port, {})
        command = [python, "-m", "ringway", "up", "--nodes", "1", "--port", str(port), "--admin-port", str(admin_port)]
        environ = {**members.environ, "RINGWAY_NODE_PORT": str(free_port(NODE_PORTS)), "PYTHONPATH": "", **NO_SHEDDING}
        with (Path(directory) / "up.log").open("wb") as log:
            members.up = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=directory)
        try:
            wait_for(lambda: members.is_ready() and members.nodes(), "a gateway with a node")
            yield members
        finally:
            members.stop()


@contextlib.contextmanager
def bench_of(payload: int) -> Iterator[Bench]:
    """Yield a backend whose messages have `payload` bytes."""
    with (
        tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory,
        Bench(Path(directory), cores(), payload) as bench,
    ):
        yield bench


def pin(pid: int, core: int) -> None:
    """Let all threads of a process run on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def port_of(url: str) -> int:
    """Return the port in `url`."""
    port = urlsplit(url).port
    assert port is not None
    return port


def median(values: Sequence[float]) -> tuple[float, str]:
    """Return the median, and in words the range in which it is with 95 % (by order statistics)."""
    ordered, count = sorted(values), len(values)
    reach = 0.98 * math.sqrt(count)  # 1.96 standard deviations of the rank
    low, high = max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach))
    return statistics.median(values), f"{ordered[low]:.3f} to {ordered[high]:.3f}"


def take_turns(running: Sequence[Running], result: Result, title: str) -> None:
    """Measure all rounds of all proxies, in turns."""
    rounds = result.settings["rounds"]
    with Progress(transient=True) as progress:
        bar = progress.add_task(title, total=rounds * len(running))
        for turn in range(rounds):
            for one in running if turn % 2 else running[::-1]:
                one.round(result.settings["seconds"])
                progress.advance(bar)


def add_rows(result: Result, setting: tuple[str, int, int], starts: Sequence[Sequence[Running]]) -> None:
    """Add a row for each proxy, with the rounds of all its starts, and the claims of this checkout."""
    over, payload, connections = setting
    names = [one.name for one in starts[0]]
    costs = {
        name: [cost for running in starts for one in running if one.name == name for cost in one.cost_us]
        for name in names
    }
    for name, cost in costs.items():
        to_before, spread = median([a / b for a, b in zip(cost, costs[BEFORE], strict=True)])
        to_reference, of_reference = median([a / b for a, b in zip(cost, costs[REFERENCE], strict=True)])
        row = [name, over, payload, connections, statistics.median(cost)]
        result.rows.append([*row, to_before, spread, to_reference, of_reference, ""])
        if name.startswith("now"):
            what = f"CPU of {name} over a {over}, {payload} B, {connections} connections ÷ before"
            result.claims.append(Claim(what, to_before, at_most=COST_MAX))


def measure_backends(bench: Bench, systems: Sequence[System], payload: int, connections: int, result: Result) -> None:
    """Measure `systems` before one backend."""
    starts: list[list[Running]] = []
    for _ in range(result.settings["starts"]):
        starts.append([bench.open(system, connections) for system in systems])
        take_turns(starts[-1], result, f"{payload} B, {connections} connections")
        bench.close_all()
    add_rows(result, ("backend", payload, connections), starts)


def measure_nodes(bench: Bench, pythons: dict[str, str], payload: int, connections: int, result: Result) -> None:
    """Measure the gateways of two checkouts before a node each, and HAProxy before the node of this one."""
    starts = [start_nodes(bench, pythons, connections, result) for _ in range(result.settings["starts"])]
    add_rows(result, ("node", payload, connections), starts)


def start_nodes(bench: Bench, pythons: dict[str, str], connections: int, result: Result) -> list[Running]:
    """Measure one start of everything that `measure_nodes` names."""
    peers_core, proxy_core = cores()
    running: list[Running] = []
    with contextlib.ExitStack() as stack:
        for name, python in pythons.items():
            members = stack.enter_context(node_system(python))
            assert members.up is not None
            for child in family(members.up.pid):
                pin(child, peers_core)
            gateway = members.pid_of("gateway-1")
            pin(gateway, proxy_core)
            running.append(bench.load(name, "commands", port_of(members.gateway_url), gateway, connections))
            node_port = port_of(members.nodes()["node-1"]["url"])
        reference = next(system for system in SYSTEMS if system.name == REFERENCE)
        running.append(bench.open(reference, connections, "commands", node_port))
        take_turns(running, result, f"over nodes, {connections} connections")
        bench.close_all()
    return running


def measure_memory(bench: Bench, systems: Sequence[System], connections: int, result: Result) -> None:
    """Measure the memory of each of `systems` alone, and again in the opposite order."""
    kib: dict[str, list[float]] = {system.name: [] for system in systems}
    for system in (*systems, *systems[::-1]):
        kib[system.name].append(bench.open(system, connections).kib_each)
        bench.close_all()
    least = statistics.mean(kib[BEFORE])
    for name, values in kib.items():
        each = statistics.mean(values)
        result.rows.append([f"{name}, memory", "backend", "", connections, "", "", "", "", "", each])
        if name.startswith("now"):
            more = Claim(f"KiB of a connection of {name} more than before", each - least, at_most=MEMORY_MAX_KIB)
            result.claims.append(more)


def main() -> int:
    flags = parser("CPU and memory of relays beside those of an older checkout, and beside HAProxy")
    flags.add_argument("--before", type=Path, required=True, metavar="DIRECTORY", help="the older checkout")
    flags.add_argument("--over", nargs="*", choices=["backend", "node"], default=["backend", "node"], help="of relays")
    flags.add_argument("--payloads", type=int, nargs="*", default=[64, 16384], help="bytes of a message")
    flags.add_argument("--connections", type=int, nargs="+", default=[100, 1000], help="round trips at a time")
    flags.add_argument("--rounds", type=int, default=24, help="rounds of each proxy and start")
    flags.add_argument("--starts", type=int, default=3, help="starts of each proxy")
    flags.add_argument("--seconds", type=float, default=0.25, help="length of a round")
    flags.add_argument("--memory-connections", type=int, default=4000, help="connections for the memory; 0: none")
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.starts, chosen.memory_connections = 4, 1, min(chosen.memory_connections, 500)
    before = str((chosen.before / ".venv" / "bin" / "python").absolute())
    reference = next(system for system in SYSTEMS if system.name == REFERENCE)
    systems = [
        System(BEFORE, ringway(before)),
        System("now, auto", ringway()),
        System("now, never", ringway(options=",on-move=never")),
        reference,
    ]
    columns = ["gateway", "over", "bytes", "connections", "µs CPU a round trip"]
    columns += ["÷ before", "95 %", "÷ HAProxy", "95 %", "KiB each"]
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "starts": chosen.starts}
    result = Result("Relays of two checkouts, round trips through one core", columns, settings=settings)
    for payload in chosen.payloads:
        with bench_of(payload) as bench:
            for connections in chosen.connections:
                if "backend" in chosen.over:
                    measure_backends(bench, systems, payload, connections, result)
                if "node" in chosen.over:
                    measure_nodes(bench, {BEFORE: before, "now": PYTHON}, payload, connections, result)
    if chosen.memory_connections:
        with bench_of(PAYLOAD) as bench:
            measure_memory(bench, systems[:3], chosen.memory_connections, result)
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
