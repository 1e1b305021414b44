"""One server more beside three: FastAPI on uvicorn, which knows nothing of Ringway, behind two gateways on one NATS.

The clients are plain: each asks once a second, and is answered after 50 ms. The fourth server joins by the file of
backends that both gateways read, by HTTP, or by `ringway join`. Each way to move a connection is measured in a system
of its own. Moves, closes and lost answers are read from the clients, which remember who answered them; the peak of
handshakes is counted in the new server. The reference is the least possible number of moves: the new server's share.

    scripts/bench own_backends [--clients 3000] [--on-move reopen close] [--by file]
"""

import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from own_backends_clients import Record, clients
from own_backends_join import WAYS, Joining
from report import Claim, Result, parser, percentile, publish
from support.nats_server import NatsServer
from support.server_process import ServerProcess
from support.system import RINGWAY, free_port, wait_for

OLD = ("a", "b", "c")
NEW = "d"
GATEWAYS = 2
CLIENTS_OF_PROCESS = 500
SECRET = "bench-bench-bench-bench"

BALANCED = 0.05
"""Balanced: every server is within this part of its fair share."""

SETTLED_S = 10.0
"""The time without moves after balance was reached: moving has stopped by itself."""


def get(url: str) -> Any:
    """Return the JSON at `url`."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@dataclass
class Stack:
    """NATS, three servers, and gateways before them, in `folder`."""

    folder: Path
    on_move: str
    urls: list[str] = field(default_factory=list)
    admin_urls: list[str] = field(default_factory=list)
    registration_urls: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    _processes: list[ServerProcess] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The file of backends that the gateways read."""
        return self.folder / "backends.json"

    def launch(self, name: str, command: Sequence[str], environ: dict[str, str]) -> None:
        """Start a process that ends with the stack."""
        process = ServerProcess(self.folder / f"{name}.log")
        process.launch(command, {**os.environ, **environ})
        self._processes.append(process)

    def server_command(self, name: str) -> tuple[list[str], dict[str, str]]:
        """Return the command and the environment of the server `name`."""
        port = str(self.ports.setdefault(name, free_port()))
        command = [sys.executable, "-m", "uvicorn", "own_backends_server:app", "--port", port, "--log-level", "warning"]
        return command, {"INSTANCE": name}

    def start_server(self, name: str) -> None:
        """Start a server, and wait until it answers."""
        command, environ = self.server_command(name)
        self.launch(name, command, environ)
        wait_for(lambda: get(f"http://127.0.0.1:{self.ports[name]}/healthz"), f"server {name}")

    def name_backends(self, names: Sequence[str]) -> None:
        """Write the file of backends; the gateways see the change within two seconds."""
        backends = [
            {
                "name": name,
                "url": f"ws://127.0.0.1:{self.ports[name]}",
                "check": "/healthz",
                "on_move": self.on_move,
            }
            for name in names
        ]
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps({"backends": backends}))
        draft.rename(self.file)

    def start_gateway(self, engine_url: str) -> None:
        """Start a gateway, and wait until it would place a client."""
        port, admin_port, registration_port = free_port(), free_port(), free_port()
        command = [*RINGWAY, "gateway", "--port", str(port), "--admin-port", str(admin_port)]
        command += ["--engine", engine_url, "--backends", str(self.file)]
        environ = {
            "RINGWAY_STATE_DIR": str(self.folder),
            "RINGWAY_ENGINE_SECRET": SECRET,
            "RINGWAY_REGISTRATION_PORT": str(registration_port),
        }
        self.launch(f"gateway-{len(self.urls)}", command, environ)
        wait_for(lambda: ready(f"http://127.0.0.1:{port}/readyz"), "a gateway")
        self.urls.append(f"ws://127.0.0.1:{port}")
        self.admin_urls.append(f"http://127.0.0.1:{admin_port}")
        self.registration_urls.append(f"http://127.0.0.1:{registration_port}")

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the backends by name, as the first gateway sees them."""
        return {node["name"]: node for node in get(f"{self.admin_urls[0]}/v1/nodes")}

    def stop(self) -> None:
        """End everything, the newest first."""
        for process in reversed(self._processes):
            process.kill_all()


def ready(url: str) -> bool:
    """True if `url` answers 200."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)


@contextmanager
def running_stack(on_move: str) -> Iterator[Stack]:
    """Run three servers behind two gateways for the block."""
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory:
        folder = Path(directory)
        nats, stack = NatsServer(folder / "nats", "bench"), Stack(folder, on_move)
        try:
            nats.start()
            for name in OLD:
                stack.start_server(name)
            stack.name_backends(OLD)
            for _ in range(GATEWAYS):
                stack.start_gateway(f"nats://127.0.0.1:{nats.port}")
            yield stack
        finally:
            stack.stop()
            nats.kill()


@contextmanager
def running_clients(urls: list[str], count: int) -> Iterator[list[Connection]]:
    """Run clients in several processes for the block, which begins when all of them were answered."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for first in range(0, count, CLIENTS_OF_PROCESS):
        here, there = context.Pipe()
        some = min(CLIENTS_OF_PROCESS, count - first)
        process = context.Process(target=clients, args=(urls, some, first, there), daemon=True)
        process.start()
        pipes.append(here)
        processes.append(process)
    try:
        for pipe in pipes:
            if not pipe.poll(180):
                raise RuntimeError("the clients did not connect in 180 s")
            pipe.recv()
        yield pipes
    finally:
        for process in processes:
            process.join(10)
            process.kill()


@dataclass
class Seen:
    """What one run showed. Times are seconds from the start of the fourth server."""

    clients: int
    records: list[Record]
    lag_s: float  # the worst lag of the clients' event loops
    before: dict[str, int]
    after: dict[str, int]
    balanced_s: float
    ended_s: float  # the last move
    ordered: int  # moves that the gateways counted
    peak: int
    accepted: int

    @property
    def least(self) -> int:
        """The new server's share."""
        return self.clients // (len(OLD) + 1)

    def paths(self) -> list[list[str]]:
        """Return, for each client, the instances that answered it, without repetitions."""
        return [
            [name for name, _ in itertools.groupby(itertools.chain.from_iterable(record.visits))]
            for record in self.records
        ]

    def steps(self) -> list[tuple[str, str]]:
        """Return every move that a client has seen."""
        return [step for path in self.paths() for step in itertools.pairwise(path)]

    def came_elsewhere(self) -> int:
        """Count the connections after a close that were first answered by another server than the new one."""
        return sum(1 for record in self.records for visit in record.visits[1:] if visit and visit[0] != NEW)

    def closes(self) -> Counter[str]:
        """Count the closes by what the client was told."""
        return Counter(itertools.chain.from_iterable(record.closes for record in self.records))

    def closed_but_once(self) -> int:
        """Count the moved clients that were not closed exactly once, and the others that were closed at all."""
        pairs = zip(self.records, self.paths(), strict=True)
        return sum(1 for record, path in pairs if len(record.closes) != (len(path) > 1))


def follow(stack: Stack, total: int, began: float, seconds: float) -> tuple[float, float, int]:
    """Wait until balance was reached and moves have ended; return when that was, and the number of moves."""
    fair = total / (len(OLD) + 1)
    balanced_s, ended_s, moved = float("inf"), 0.0, 0
    while (now := time.monotonic() - began) < seconds:
        nodes = stack.nodes()
        counts = [node["connections"] for node in nodes.values()]
        good = len(counts) == len(OLD) + 1 and all(abs(count - fair) <= BALANCED * fair for count in counts)
        balanced_s = min(balanced_s, now) if good else float("inf")
        moved_now = sum(sum(node["moved"].values()) for node in nodes.values())
        if moved_now != moved:
            moved, ended_s = moved_now, now
        if balanced_s < now - SETTLED_S and ended_s < now - SETTLED_S:
            break
        time.sleep(0.25)
    return balanced_s, ended_s, moved


def measure(on_move: str, by: str, count: int, seconds: float) -> Seen:
    """Run three servers and clients, add a server, and return what was seen."""
    with running_stack(on_move) as stack, running_clients(stack.urls, count) as pipes:
        wait_for(lambda: sum(node["connections"] for node in stack.nodes().values()) == count, "the first reports")
        before = {name: node["connections"] for name, node in stack.nodes().items()}
        for pipe in pipes:
            pipe.send("begin")
        began = time.monotonic()
        with Joining(stack, NEW, OLD).by(by):
            balanced_s, ended_s, ordered = follow(stack, count, began, seconds)
            after = {name: node["connections"] for name, node in stack.nodes().items()}
            accepts = get(f"http://127.0.0.1:{stack.ports[NEW]}/accepts")
            for pipe in pipes:
                pipe.send("stop")
            told = [pipe.recv() for pipe in pipes]
    records = [record for some, _ in told for record in some]
    lag_s = max(lag for _, lag in told)
    return Seen(
        count, records, lag_s, before, after, balanced_s, ended_s, ordered, accepts["peak"], accepts["accepted"]
    )


def add(result: Result, on_move: str, seen: Seen) -> None:
    """Add the rows and claims of one run."""
    steps, closes, records = seen.steps(), seen.closes(), seen.records
    slowest = sorted(record.slowest_s for record in records)
    between = sum(1 for _, target in steps if target != NEW)
    lost = sum(record.unanswered + record.silent for record in records)
    abnormal = sum(count for told, count in closes.items() if told.startswith("1006"))
    rows: dict[str, Any] = {
        "connections before": " ".join(f"{name} {count}" for name, count in sorted(seen.before.items())),
        "connections after": " ".join(f"{name} {count}" for name, count in sorted(seen.after.items())),
        "moves seen by clients": len(steps),
        "moves counted by the gateways": seen.ordered,
        "moves between old servers": between,
        "balanced within 5 % after, s": f"{seen.balanced_s:.1f}",
        "last move after, s": f"{seen.ended_s:.1f}",
        "closes": ", ".join(f"{told} {count} times" for told, count in closes.most_common()) or 0,
        "questions answered": sum(record.answers for record in records),
        "questions lost at a close": sum(record.unanswered for record in records),
        "questions lost otherwise": sum(record.silent for record in records),
        "failed attempts to connect": sum(record.failed for record in records),
        "slowest answer of a client, ms: p50, p99, all": " / ".join(
            f"{1000 * each:.0f}" for each in (percentile(slowest, 0.5), percentile(slowest, 0.99), slowest[-1])
        ),
        "worst lag of the clients' own event loops, ms": f"{1000 * seen.lag_s:.0f}",
        "handshakes at the new server": seen.accepted,
        "peak of handshakes a second at the new server": seen.peak,
    }
    result.rows += [[on_move, what, value] for what, value in rows.items()]
    result.claims += [
        Claim(f"{on_move}: moves ÷ the least possible", len(steps) / seen.least, at_most=1.05),
        Claim(f"{on_move}: moves between old servers", between, at_most=0),
        Claim(f"{on_move}: seconds to balance within 5 %", seen.balanced_s, at_most=30),
        Claim(f"{on_move}: answers lost", lost, at_most=0),
        Claim(f"{on_move}: closes with 1006", abnormal, at_most=0),
        Claim(f"{on_move}: clients that came to another server than planned", seen.came_elsewhere(), at_most=0),
    ]
    if on_move == "close":
        result.claims.append(Claim("close: clients not closed exactly once", seen.closed_but_once(), at_most=0))
    else:
        result.claims.append(Claim(f"{on_move}: closes seen by clients", closes.total(), at_most=0))
    result.settings[on_move] = rows


def main() -> int:
    """Run the benchmark."""
    flags = parser(
        "A fourth server joins three that know nothing of Ringway: moves, time to balance, what clients see."
    )
    flags.add_argument("--clients", type=int, default=3000, help="clients, each with one connection")
    flags.add_argument("--on-move", nargs="+", default=["reopen", "close"], choices=["auto", "reopen", "close"])
    flags.add_argument("--by", choices=WAYS, default="file", help="how the fourth server joins")
    flags.add_argument("--seconds", type=float, default=90, help="give up waiting for balance after this")
    arguments = flags.parse_args()
    count = 300 if arguments.quick else arguments.clients
    result = Result(
        f"own backends: 3 → 4 servers, {count} clients, by {arguments.by}",
        ["on-move", "what", "measured"],
        settings={"clients": count, "by": arguments.by},
    )
    for on_move in arguments.on_move:
        add(result, on_move, measure(on_move, arguments.by, count, arguments.seconds))
    publish(result, arguments.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
