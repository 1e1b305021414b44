"""How many clients a second one gateway tells where to connect: `GET /gateway` on one core, with twenty nodes known.

Gateway and NATS are real; the nodes are reports that this process announces each second, as nodes do. Every answer is
a placement: a policy's choice among twenty, a place held for ten seconds, a signed ticket. The load comes from `wrk`
on the other core, over connections that are kept open. Beside it, in the same run: `GET /healthz` of the same gateway
is what reading a request and writing a fixed answer costs.

    scripts/bench discovery [--nodes 20] [--seconds 10]
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.progress import Progress

from report import Claim, Result, parser, publish
from ringway.app.state import find_running
from ringway.engine.nats import open_nats
from ringway.ports import Engine
from ringway.protocol.report import Report, encode_report
from ringway.testing.system import System, running_system
from ringway.types import Incarnation, NodeName, Role

CONNECTIONS = 32


async def announce(engine: Engine, nodes: int) -> None:
    """Report `nodes` nodes each second, until cancelled."""
    seq = 0
    while True:
        seq += 1
        for number in range(nodes):
            name = NodeName(f"node-{number:02}")
            report = Report(
                name=name,
                incarnation=Incarnation(f"{number:08x}"),
                role=Role.NODE,
                seq=seq,
                url=f"ws://10.0.0.{number}:9101/connection/websocket",
                connections=1000 + 10 * number,
                accept_per_s=500.0,
            )
            await engine.registry.announce(name, encode_report(report))
        await asyncio.sleep(1.0)


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(url: str, seconds: float, core: int) -> tuple[float, str]:
    """Ask `url` as fast as answers come; return requests a second and the 99th percentile of their delay."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    text = (await process.communicate())[0].decode()
    if "Non-2xx" in text or process.returncode:
        raise RuntimeError(f"not every answer was good: {text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    delay = re.search(r"99%\s+(\S+)", text)
    assert rate is not None
    assert delay is not None
    return float(rate[1]), delay[1]


async def measure(system: System, nodes: int, seconds: float) -> list[tuple[str, float, float, str]]:
    """Return path, rate, CPU in microseconds a request, and delay of each measurement."""
    cores = sorted(os.sched_getaffinity(0))
    gateway = system.pid_of("gateway-1")
    os.sched_setaffinity(gateway, {cores[-1]})
    running = find_running(system.state)
    assert running is not None
    engine = await open_nats(running.engine_url, cluster=running.cluster, name="bench")
    announcing = asyncio.create_task(announce(engine, nodes))
    rows = []
    try:
        while len(await asyncio.to_thread(system.nodes)) < nodes:
            await asyncio.sleep(0.1)
        with Progress(transient=True) as progress:
            for path in progress.track(("/gateway", "/gateway?key=user-42", "/healthz"), description="asking"):
                before = cpu_s(gateway)
                rate, delay = await load(system.gateway_url + path, seconds, cores[0])
                cost_us = (cpu_s(gateway) - before) / (rate * seconds) * 1e6
                rows.append((path, rate, cost_us, delay))
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
        await engine.close()
    return rows


def main() -> int:
    """Run the benchmark."""
    flags = parser("Rate of GET /gateway on one core.")
    flags.add_argument("--nodes", type=int, default=20, help="nodes that the gateway knows")
    flags.add_argument("--seconds", type=float, default=10, help="length of each measurement")
    arguments = flags.parse_args()
    if shutil.which("wrk") is None:
        sys.stderr.write("discovery: wrk is missing; install it (Debian: apt-get install wrk)\n")
        return 2
    seconds = 2.0 if arguments.quick else arguments.seconds
    with running_system(nodes=0) as system:
        rows = asyncio.run(measure(system, arguments.nodes, seconds))
    columns = ["request", "requests/s", "µs CPU each", "p99 delay"]
    result = Result(f"discovery: one gateway on one core, {arguments.nodes} nodes known", columns)
    result.rows += rows
    result.claims = [Claim("GET /gateway a second", rows[0][1], at_least=20_000)]
    result.settings = {"nodes": arguments.nodes, "seconds": seconds, "connections": CONNECTIONS}
    publish(result, arguments.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
