"""Cost of a relayed WebSocket: CPU per round trip of 64 bytes, and memory per connection, of several proxies.

One backend and one load generator run on one core, each proxy on a second core. All proxies run at the same time
and take turns, a short round each, so that a disturbance hits all; the table shows medians of the rounds, and of each
round's ratio to HAProxy's. The backend and the load are the same for all. Memory is the growth of resident memory
while the connections are opened and used once.

    scripts/bench relay [--connections 100 1000] [--rounds 15] [--systems ringway haproxy]
"""

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from relay_systems import (
    HERE,
    PYTHON,
    SYSTEMS,
    System,
    cpu_ns,
    resident_kib,
    start,
    stop,
    user_share,
    wait_listening,
)
from report import Claim, Result, parser, publish
from support.system import free_port

PEERS = str(HERE / "relay_peers.py")
REFERENCE = "haproxy"
PAYLOAD = 64


@dataclass(slots=True)
class Running:
    """One proxy under load, and its measurements."""

    name: str
    pid: int  # of the proxy
    load: "subprocess.Popen[str]"
    kib_each: float
    cost_us: list[float] = field(default_factory=list)
    user: float = 0.0
    per_s: list[float] = field(default_factory=list)

    def round(self, seconds: float) -> None:
        """Measure one round; again if nothing came back, because other work had the cores."""
        while not self._has_measured(seconds):
            pass

    def _has_measured(self, seconds: float) -> bool:
        ns, (user, system) = cpu_ns(self.pid), user_share(self.pid)
        trips, took = ask(self.load, f"run {seconds}").split()
        if not int(trips):
            return False
        ns, (user_now, system_now) = cpu_ns(self.pid) - ns, user_share(self.pid)
        ticks = user_now - user + system_now - system
        self.user += (user_now - user) / ticks if ticks else 0.0
        self.cost_us.append(ns / 1000 / int(trips))
        self.per_s.append(int(trips) / float(took))
        return True


def ask(process: "subprocess.Popen[str]", line: str) -> str:
    """Send a line and return the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"{process.args} has ended")
    return answer


class Bench:
    """One backend, and the proxies before it. A message has `payload` bytes."""

    def __init__(self, directory: Path, cores: tuple[int, int], payload: int = PAYLOAD) -> None:
        self._directory = directory
        self._payload = payload
        self._peers_core, self._proxy_core = cores
        self._started: list[subprocess.Popen[str]] = []
        self._port = free_port()

    def __enter__(self) -> "Bench":
        self._peer("backend", self._port, self._payload)
        return self

    def __exit__(self, *exc: object) -> None:
        stop(*self._started)

    def _peer(self, role: str, *numbers: int) -> "subprocess.Popen[str]":
        log = self._directory / f"{role}.log"
        process = start([PYTHON, PEERS, role, *map(str, numbers)], self._peers_core, log, answers=True)
        self._started.append(process)
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{role} {numbers}: {log.read_text()[-500:]}")
        return process

    def open(self, system: System, connections: int, role: str = "load", node_port: int = 0) -> Running:
        """Start a proxy, before a node at `node_port` if there is one, and open connections through it."""
        port = free_port()
        log = self._directory / f"{system.name}.log"
        proxy = start(system.command(self._directory, port, node_port or self._port), self._proxy_core, log)
        self._started.append(proxy)
        wait_listening(proxy, port, log)
        return self.load(system.name, role, port, proxy.pid, connections)

    def load(self, name: str, role: str, port: int, pid: int, connections: int) -> Running:
        """Open connections through the proxy `pid` at `port`, by peers of `role`."""
        # The first ones use up the free parts of the heap after the start.
        warm = self._peer(role, port, max(20, connections // 4), self._payload)
        ask(warm, "run 0.2")
        before = resident_kib(pid)
        load = self._peer(role, port, connections, self._payload)
        ask(load, "run 0.2")
        return Running(name, pid, load, (resident_kib(pid) - before) / connections)

    def close_all(self) -> None:
        """End all proxies and their loads; the backend stays."""
        ending, self._started = self._started[1:], self._started[:1]
        stop(*reversed(ending))


def cores() -> tuple[int, int]:
    """The cores of the two ends and of the proxies; the same core if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def measure(bench: Bench, systems: list[System], connections: int, rounds: int, seconds: float, result: Result) -> None:
    """Let `systems` take turns at `connections` connections, and add their rows."""
    running = [bench.open(system, connections) for system in systems if connections <= system.connections_max]
    with Progress(transient=True) as progress:
        bar = progress.add_task(f"{connections} connections", total=rounds * len(running))
        for turn in range(rounds):
            order = running if turn % 2 else running[::-1]
            for one in order:
                one.round(seconds)
                progress.advance(bar)
    reference = next((one for one in running if one.name == REFERENCE), None)
    for one in running:
        ratio = float("nan")
        if reference is not None:
            ratio = statistics.median(a / b for a, b in zip(one.cost_us, reference.cost_us, strict=True))
        cost = statistics.median(one.cost_us)
        user, per_s = one.user / rounds * cost, statistics.median(one.per_s)
        result.rows.append([one.name, connections, cost, user, ratio, per_s, one.kib_each])
        if one.name == "ringway" and reference is not None:
            result.claims.append(
                Claim(f"CPU per round trip at {connections} connections ÷ HAProxy's", ratio, at_most=1.0)
            )
    bench.close_all()


def measure_memory(bench: Bench, system: System, connections: int, result: Result) -> None:
    """Open `connections` through `system` alone, and add its row."""
    one = bench.open(system, connections)
    result.rows.append([f"{system.name}, memory", connections, "", "", "", "", one.kib_each])
    result.claims.append(Claim(f"KiB resident per proxied connection at {connections}", one.kib_each, at_most=14.0))
    bench.close_all()


def main() -> int:
    names = [system.name for system in SYSTEMS]
    flags = parser("CPU per 64-byte round trip and memory per connection of WebSocket proxies")
    flags.add_argument("--connections", type=int, nargs="+", default=[100, 1000], help="round trips at a time")
    flags.add_argument("--rounds", type=int, default=21, help="rounds of each system")
    flags.add_argument("--seconds", type=float, default=0.6, help="length of a round")
    flags.add_argument("--systems", nargs="+", choices=names, default=names, help="which proxies to measure")
    flags.add_argument(
        "--memory-connections", type=int, default=4000, help="connections for the memory of ringway; 0: none"
    )
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.memory_connections = 3, 0.3, min(chosen.memory_connections, 500)
    console = Console(stderr=True)
    systems = [system for system in SYSTEMS if system.name in chosen.systems]
    for system in systems:
        if system.missing:
            console.print(system.missing, highlight=False)
    systems = [system for system in systems if not system.missing]
    columns = ["proxy", "connections", "µs CPU a round trip", "of it user", "÷ HAProxy", "round trips/s", "KiB each"]
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "payload_bytes": PAYLOAD}
    result = Result("Relay: 64-byte round trips through one proxy on one core", columns, settings=settings)
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory, Bench(Path(directory), cores()) as bench:
        for connections in chosen.connections:
            measure(bench, systems, connections, chosen.rounds, chosen.seconds, result)
        if chosen.memory_connections and systems and systems[0].name == "ringway":
            measure_memory(bench, systems[0], chosen.memory_connections, result)
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
