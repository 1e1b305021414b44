"""A third node joins two full nodes: the number of moves, their speed, and the gaps that their clients see.

Clients are Ringway's own, subscribed to one of a hundred channels each, connected directly; a publisher sends all the
time. Moves are read from the clients: each remembers the nodes that it was on. The least possible number of moves is
the new node's fair share.

    scripts/bench scale_out [--clients 3000] [--rate 200]
"""

import asyncio
import itertools
import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from rich.progress import Progress

import ringway
from report import Claim, Result, parser, publish
from support.system import System, running_system

CHANNELS = 100
SETTLED_S = 8.0
"""The time without moves after balance was reached: moving has stopped by itself."""


@dataclass
class Crowd:
    """The clients of one process, and the past nodes of each."""

    url: str
    count: int
    first: int
    visited: list[list[str]] = field(default_factory=list)
    delivered: int = 0

    async def run(self, pipe: Connection) -> None:
        """Connect all, then answer questions from the pipe until the order to stop."""
        self.visited = [[] for _ in range(self.count)]
        clients = []
        for start in range(0, self.count, 50):
            batch = [self._client(index) for index in range(start, min(start + 50, self.count))]
            clients += await asyncio.gather(*(client.open() for client in batch))
        for index, client in enumerate(clients):
            channel = f"room-{(self.first + index) % CHANNELS}"
            client.subscribe(channel, on_publication=self._count)
        pipe.send("ready")
        while True:
            if not await asyncio.to_thread(pipe.poll, 0.2):
                continue
            if pipe.recv() == "stop":
                break
            pipe.send({"visited": self.visited, "delivered": self.delivered})
        await asyncio.gather(*(client.close() for client in clients))

    def _client(self, index: int) -> ringway.Client:
        def note(event: ringway.client.Event) -> None:
            if isinstance(event, ringway.Connected | ringway.Moved):
                self.visited[index].append(event.node)

        return ringway.Client(self.url, on_event=note)

    def _count(self, _: ringway.client.Publication) -> None:
        self.delivered += 1


def crowd(url: str, count: int, first: int, pipe: Connection) -> None:
    """The main function of a process full of clients."""
    uvloop.run(Crowd(url, count, first).run(pipe))


def publisher(url: str, rate: float, pipe: Connection) -> None:
    """The main function of the process that publishes at `rate` until the order to stop."""

    async def run() -> None:
        async with ringway.Client(url) as client:
            pipe.send("ready")
            number = 0
            began = time.perf_counter()
            pending: set[asyncio.Task[None]] = set()
            while not pipe.poll():
                pause = began + number / rate - time.perf_counter()
                if pause > 0:
                    await asyncio.sleep(pause)
                task = asyncio.create_task(client.publish(f"room-{number % CHANNELS}", {"number": number}))
                pending.add(task)
                task.add_done_callback(pending.discard)
                number += 1
            await asyncio.gather(*pending, return_exceptions=True)
            pipe.recv()
            pipe.send(number)

    uvloop.run(run())


class Watch:
    """Follows the nodes' reports once a second."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.began = time.monotonic()
        self.samples: list[tuple[float, dict[str, dict[str, Any]]]] = []

    def sample(self) -> dict[str, dict[str, Any]]:
        """Ask the nodes, and store the answer with its time."""
        nodes = self._system.nodes()
        self.samples.append((time.monotonic() - self.began, nodes))
        return nodes

    def balanced_at(self, total: int, names: int) -> float | None:
        """The time from which every node was within 5 % of its fair share; None if that was not reached."""
        fair = total / names
        since: float | None = None
        for at, nodes in self.samples:
            counts = [node["connections"] for node in nodes.values()]
            good = len(counts) == names and all(abs(count - fair) <= 0.05 * fair for count in counts)
            since = (since if since is not None else at) if good else None
        return since

    def accept_peak(self, name: str) -> float:
        """The highest number of connections a second that `name` accepted between two samples."""
        points = [(at, nodes[name]["accepted"]) for at, nodes in self.samples if name in nodes]
        pairs = itertools.pairwise(points)
        return max(((b - a) / max(t - s, 1e-9) for (s, a), (t, b) in pairs), default=0.0)


def follow(watch: Watch, old: set[str], clients: int, seconds: float) -> str:
    """Sample until the cluster is balanced and quiet; return the name of the new node."""
    new = ""
    quiet_since: float | None = None
    moved_before = -1
    with Progress(transient=True) as progress:
        bar = progress.add_task("balancing", total=seconds)
        while (now := time.monotonic() - watch.began) < seconds:
            nodes = watch.sample()
            new = next(iter(set(nodes) - old), "")
            moved = sum(sum(node["moved"].values()) for node in nodes.values())
            quiet = moved == moved_before and watch.balanced_at(clients, len(old) + 1) is not None
            quiet_since = (quiet_since or now) if quiet else None
            moved_before = moved
            progress.update(bar, completed=now)
            if quiet_since is not None and now - quiet_since > SETTLED_S:
                break
            time.sleep(0.5)
    return new


def summarise(answers: list[dict[str, Any]], old: set[str], new: str) -> dict[str, int]:
    """Count the gaps and moves of the clients."""
    paths = [path for answer in answers for path in answer["visited"]]
    steps = [(a, b) for path in paths for a, b in itertools.pairwise(path)]
    return {
        "moves": len(steps),
        "between old nodes": sum(1 for a, b in steps if a in old and b in old),
        "moved more than once": sum(1 for path in paths if len(path) > 2),
        "on the new node": sum(1 for path in paths if path and path[-1] == new),
        "deliveries": sum(answer["delivered"] for answer in answers),
    }


def main() -> None:
    """Run the benchmark."""
    flags = parser("A third node joins: moves against the least possible, time to balance, what clients see.")
    flags.add_argument("--clients", type=int, default=3000, help="connections, subscribed to one channel each")
    flags.add_argument("--rate", type=float, default=200, help="publications a second, all the while")
    flags.add_argument("--seconds", type=float, default=90, help="give up waiting for balance after this")
    arguments = flags.parse_args()
    clients = 600 if arguments.quick else arguments.clients
    with running_system(nodes=2) as system:
        context = multiprocessing.get_context("spawn")
        pipes, processes = [], []
        jobs: list[tuple[Any, tuple[Any, ...]]] = [
            (crowd, (system.gateway_url, clients // 2, 0)),
            (crowd, (system.gateway_url, clients - clients // 2, clients // 2)),
            (publisher, (system.gateway_url, arguments.rate)),
        ]
        for target, given in jobs:
            here, there = context.Pipe()
            process = context.Process(target=target, args=(*given, there), daemon=True)
            process.start()
            pipes.append(here)
            processes.append(process)
        for pipe in pipes:
            if not pipe.poll(180):
                raise RuntimeError("the clients did not connect in 180 s")
            pipe.recv()
        watch = Watch(system)
        time.sleep(2)
        before = watch.sample()
        old = set(before)
        system.start("node")
        watch.began = time.monotonic()
        watch.samples.clear()
        new = follow(watch, old, clients, arguments.seconds)
        for pipe in pipes[:2]:
            pipe.send("tell")
        seen = summarise([pipe.recv() for pipe in pipes[:2]], old, new)
        for pipe in pipes:
            pipe.send("stop")
        for process in processes:
            process.join(20)
    report(arguments, clients, before, watch, new, seen)


def report(arguments: Any, clients: int, before: dict[str, Any], watch: Watch, new: str, seen: dict[str, int]) -> None:
    """Print the results."""
    least = clients // (len(before) + 1)
    balanced = watch.balanced_at(clients, len(before) + 1)
    peak = watch.accept_peak(new)
    budget = watch.samples[-1][1].get(new, {}).get("accept_per_s", 0.0)
    result = Result(f"scale-out: a third node joins {clients} connections", ["node", "before", "after"])
    for name, node in sorted(watch.samples[-1][1].items()):
        result.rows.append([name, before.get(name, {}).get("connections", 0), node["connections"]])
    result.rows += [[what, "", count] for what, count in seen.items()]
    result.rows.append(["balanced within 5 % after, s", "", "never" if balanced is None else f"{balanced:.1f}"])
    result.rows.append(["peak accept rate at the new node, 1/s", "", f"{peak:.0f}"])
    result.claims = [
        Claim("moves ÷ the least possible", seen["moves"] / least, at_most=1.05),
        Claim("moves between old nodes", seen["between old nodes"], at_most=0),
        Claim("clients moved more than once", seen["moved more than once"], at_most=0),
        Claim("seconds to balance within 5 %", float("inf") if balanced is None else balanced, at_most=30),
        Claim("peak accepts a second ÷ what the node says it can take", peak / max(budget, 1), at_most=1),
    ]
    result.settings = {"clients": clients, "rate": arguments.rate, "least": least, "seen": seen}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
