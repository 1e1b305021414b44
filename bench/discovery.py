"""Rate of `GET /gateway` on one core: for each request a place is chosen and held, and a ticket signed.

The gateway runs on one core and knows 20 nodes, which report each second; the load runs on a second core, over
connections that stay open: wrk, or a generator of our own if wrk is not installed.

    scripts/bench discovery [--nodes 20] [--connections 50] [--policies two-choices ring]
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from relay_systems import HERE, PYTHON, cpu_ns, find, start, stop, wait_listening
from report import Claim, Result, parser, publish
from ringway.core.placement.catalog import POLICIES
from support.system import free_port


def load(wrk: str | None, core: int, port: int, connections: int, seconds: float, path: str) -> float:
    """Put load on the gateway for some seconds; return the answers a second."""
    if wrk is None:
        command = [PYTHON, str(HERE / "discovery_load.py"), str(port), str(connections), str(seconds), path]
    else:
        url = f"http://127.0.0.1:{port}{path}"
        command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", url]
    pinned = ["taskset", "-c", str(core), *command] if find("taskset") else command
    said = subprocess.run(pinned, capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"the load generator failed: {said.stderr or said.stdout}")
    if wrk is None:
        return float(said.stdout)
    if "Non-2xx" in said.stdout:
        raise RuntimeError(f"the gateway refused: {said.stdout}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
    assert found is not None, said.stdout
    return float(found[1])


def main() -> int:
    flags = parser("Rate of GET /gateway on one core")
    flags.add_argument("--nodes", type=int, default=20, help="nodes that the gateway knows")
    flags.add_argument("--connections", type=int, default=50, help="connections of the load, which stay open")
    flags.add_argument("--seconds", type=float, default=4.0, help="length of a round")
    flags.add_argument("--rounds", type=int, default=5, help="rounds of each policy")
    flags.add_argument(
        "--policies", nargs="+", choices=list(POLICIES), default=[name for name in POLICIES if name != "score"]
    )
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds = 1.0, 2
    wrk = find("wrk")
    if wrk is None:
        Console(stderr=True).print("wrk is not there (apt-get install wrk); the load is our own", highlight=False)
    allowed = sorted(os.sched_getaffinity(0))
    columns = ["policy", "answers/s", "best round", "µs CPU an answer"]
    settings = {"nodes": chosen.nodes, "connections": chosen.connections, "load": "wrk" if wrk else "discovery_load.py"}
    result = Result("Discovery: GET /gateway on one core", columns, settings=settings)
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory, Progress(transient=True) as progress:
        bar = progress.add_task("GET /gateway", total=chosen.rounds * len(chosen.policies))
        for policy in chosen.policies:
            port, log = free_port(), Path(directory) / f"{policy}.log"
            command = [PYTHON, str(HERE / "discovery_gateway.py"), str(port), str(chosen.nodes), policy]
            gateway = start(command, allowed[-1], log)
            try:
                wait_listening(gateway, port, log)
                path = "/gateway?key=room-42" if policy == "ring" else "/gateway"
                load(wrk, allowed[0], port, chosen.connections, 1.0, path)
                rates, costs = [], []
                for _ in range(chosen.rounds):
                    before = cpu_ns(gateway.pid)
                    rates.append(load(wrk, allowed[0], port, chosen.connections, chosen.seconds, path))
                    costs.append((cpu_ns(gateway.pid) - before) / 1000 / (rates[-1] * max(1, round(chosen.seconds))))
                    progress.advance(bar)
            finally:
                stop(gateway)
            result.rows.append([policy, statistics.median(rates), max(rates), statistics.median(costs)])
            if policy == "two-choices":
                result.claims.append(
                    Claim("GET /gateway a second, two-choices", statistics.median(rates), at_least=20_000)
                )
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
