"""The cost of NATS's clients in Python: CPU of the client for each confirmed PUB, and for each message received.

A batch of 1, 10 or 100 publications is sent in one loop turn, and the next when NATS has confirmed them by a PONG;
messages arrive in bursts of as many. Ringway's connection and nats-py take turns in a drawn order, under uvloop, on one
core, with the server and the feeder on another. The figures are medians of the rounds, and of each round's ratio.
Beside them: CPU and memory of the import, each in a process of its own.

    scripts/bench nats_clients [--rounds 7]
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import nats
import uvloop

from nats_clients_feeder import PAYLOAD
from report import Result, parser, publish
from ringway.engine.condition import Condition
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.connector import NatsConnector
from ringway.engine.nats.server_pool import NatsAddress, ServerPool
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.engine.nats.url import PORT, read_url
from support.nats_server import NatsServer

BATCHES = {1: 2_000, 10: 10_000, 100: 20_000}
"""Sizes of batches, and the number of messages of a round in batches of that size."""

OURS, THEIRS = "ringway", "nats-py"

IMPORTS = {OURS: "ringway.engine.nats.opening", THEIRS: "nats.aio.client,nats.js.kv"}

IMPORT = """
import asyncio, base64, json, re, ssl, sys, time
import msgspec, structlog, ringway.net, ringway.engine.condition, ringway.engine.tls, ringway.engine.url
if "alone" in sys.argv:
    sys.modules["aiohttp"] = None
def private_kib():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Private_"))
before, used, modules = private_kib(), time.process_time(), len(sys.modules)
for name in sys.argv[1].split(","):
    __import__(name)
print((time.process_time() - used) * 1000, (private_kib() - before) / 1024, len(sys.modules) - modules)
"""

Cost = Callable[[int, int], Awaitable[float]]
"""CPU in µs for each message of a round: size of the batches, number of messages."""


class Counter:
    """Counts messages, and knows when there are enough."""

    def __init__(self) -> None:
        self.left = 0
        self.reached = asyncio.Event()

    def expect(self, messages: int) -> None:
        self.left = messages
        self.reached.clear()

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        self.left -= 1
        if not self.left:
            self.reached.set()

    async def callback(self, message: object) -> None:
        self.left -= 1
        if not self.left:
            self.reached.set()


def receiving(counter: Counter, subject: str, feeder: "subprocess.Popen[str]") -> Cost:
    """Return the measurement of receiving."""

    async def cost(size: int, messages: int) -> float:
        assert feeder.stdin is not None
        counter.expect(messages)
        used = time.process_time()
        feeder.stdin.write(f"{subject} {size} {messages // size}\n")
        feeder.stdin.flush()
        await counter.reached.wait()
        return (time.process_time() - used) / messages * 1e6

    return cost


async def ways(port: int, feeder: "subprocess.Popen[str]", stack: AsyncExitStack) -> dict[tuple[str, str], Cost]:
    """Return the measurement of each direction of each client."""
    url = f"nats://127.0.0.1:{port}"
    where = read_url(url)
    connector = NatsConnector(where, "bench")
    greeted = await connector.connect(NatsAddress(*where.addresses[0]))
    ours = NatsConnection(greeted, connector, ServerPool(where.addresses, PORT, random.Random(1)), Condition(url))
    stack.push_async_callback(ours.close, 1)
    theirs = await nats.connect(url)
    stack.push_async_callback(theirs.close)
    our_counter, their_counter = Counter(), Counter()
    ours.subscribe(SubjectSubscription("bench.ours", our_counter.receive))
    await ours.outbox.processed()
    await theirs.subscribe("bench.theirs", cb=their_counter.callback)
    await theirs.flush()

    async def publish_ours(size: int, messages: int) -> float:
        used = time.process_time()
        for _ in range(messages // size):
            for _ in range(size):
                ours.send("bench.nobody", PAYLOAD)
            await ours.outbox.processed()
        return (time.process_time() - used) / messages * 1e6

    async def publish_theirs(size: int, messages: int) -> float:
        used = time.process_time()
        for _ in range(messages // size):
            for _ in range(size):
                await theirs.publish("bench.nobody", PAYLOAD)
            await theirs.flush()
        return (time.process_time() - used) / messages * 1e6

    return {
        ("publish", OURS): publish_ours,
        ("publish", THEIRS): publish_theirs,
        ("receive", OURS): receiving(our_counter, "bench.ours", feeder),
        ("receive", THEIRS): receiving(their_counter, "bench.theirs", feeder),
    }


async def measure(
    port: int, feeder: "subprocess.Popen[str]", batches: dict[int, int], rounds: int
) -> dict[tuple[str, str, int], list[float]]:
    """Return the costs of each round by direction, client, and size of the batches."""
    rng = random.Random(1)
    async with AsyncExitStack() as stack:
        costs = await ways(port, feeder, stack)
        order = [(*way, size) for way in costs for size in batches]
        taken: dict[tuple[str, str, int], list[float]] = {label: [] for label in order}
        for number in range(rounds + 1):
            rng.shuffle(order)  # the order must not matter
            for direction, client, size in order:
                us = await costs[direction, client](size, batches[size])
                if number:  # the first round warms up
                    taken[direction, client, size].append(us)
    return taken


def import_cost(modules: str, *options: str) -> tuple[float, float, float]:
    """Return CPU in ms, private memory in MiB, and number of modules: medians of seven processes."""
    command = [sys.executable, "-c", IMPORT, modules, *options]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(7)]
    ms, mib, count = (statistics.median(float(run[part]) for run in runs) for part in range(3))
    return ms, mib, count


def rows(taken: dict[tuple[str, str, int], list[float]]) -> list[Sequence[Any]]:
    """Return the rows of the table of messages, and the rows of the imports."""
    made: list[Sequence[Any]] = []
    for (direction, client, size), costs in sorted(taken.items(), key=lambda item: (item[0][0], item[0][2])):
        ratios = [cost / own for cost, own in zip(costs, taken[direction, OURS, size], strict=True)]
        made.append([f"{direction}: {client}, µs CPU", size, statistics.median(costs), statistics.median(ratios)])
    for label, options in (("import", ("alone",)), ("import beside aiohttp", ())):
        found = {client: import_cost(modules, *options) for client, modules in IMPORTS.items()}
        for client, (ms, mib, count) in found.items():
            made.append([f"{label}: {client}, ms CPU", "", ms, ms / found[OURS][0]])
            made.append([f"{label}: {client}, MiB private", "", mib, mib / found[OURS][1]])
            made.append([f"{label}: {client}, modules", "", count, count / found[OURS][2]])
    return made


def main() -> None:
    """Run the benchmark."""
    flags = parser("CPU of a NATS client for each publication and each message.")
    flags.add_argument("--rounds", type=int, default=7, help="rounds of each way")
    arguments = flags.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    batches = {size: messages // 4 if arguments.quick else messages for size, messages in BATCHES.items()}
    with tempfile.TemporaryDirectory(prefix="ringway-") as directory:
        server = NatsServer(Path(directory), "bench")
        server.start()
        command = [sys.executable, str(Path(__file__).with_name("nats_clients_feeder.py")), str(server.port)]
        feeder = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        cores = sorted(os.sched_getaffinity(0))
        for pid, core in ((0, cores[0]), (server.pid, cores[-1]), (feeder.pid, cores[-1])):
            os.sched_setaffinity(pid, {core})  # else chance decides whether they share a core
        try:
            taken = uvloop.run(measure(server.port, feeder, batches, rounds))
        finally:
            feeder.kill()
            feeder.communicate()
            server.stop()
    result = Result(
        f"NATS clients: {len(PAYLOAD)} B, CPU of the client", ["what", "batch", "each", f"ratio to {OURS}"], rows(taken)
    )
    result.settings = {"rounds": rounds, "messages": batches, "payload_bytes": len(PAYLOAD)}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
