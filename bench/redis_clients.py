"""Cost of Redis's clients in Python: CPU of the client for each PUBLISH, and for each message received.

A batch of 1, 10 or 100 commands is sent in one loop turn, and the next batch when all are answered; messages arrive in
bursts of the same size. The reference is a plain `asyncio.Protocol` with `hiredis.Reader` and one write a loop turn.
All ways take turns in a drawn order, under uvloop, on one core, with the server on a second core. The figures are
medians of the rounds, and of each round's ratio to the reference. coredis takes part if it is installed.

    scripts/bench redis_clients [--rounds 7]
"""

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

import uvloop
from rich.progress import Progress

from redis_clients_feeder import PAYLOAD
from redis_clients_publish import PUBLISHING, Publish
from redis_clients_receive import RECEIVING, Receive
from report import Result, parser, publish
from support.redis_server import RedisServer

BATCHES = {1: 2_000, 10: 10_000, 100: 20_000}
"""Sizes of batches, and the number of commands of a round in batches of that size."""

REFERENCE = "plain protocol"
PUBLISHED, RECEIVED = "publish", "receive"

Cost = Callable[[int, int], Awaitable[float]]
"""CPU in µs for each command of a round: size of the batches, number of commands."""


def publishing(send: Publish) -> Cost:
    """Return the measurement of a way of publishing."""

    async def cost(size: int, commands: int) -> float:
        payloads = [PAYLOAD] * size
        used = time.process_time()
        for _ in range(commands // size):
            await send(payloads)
        return (time.process_time() - used) / commands * 1e6

    return cost


def receiving(receive: Receive, channel: str, feeder: "subprocess.Popen[str]") -> Cost:
    """Return the measurement of a way of receiving."""

    async def cost(size: int, commands: int) -> float:
        assert feeder.stdin is not None
        used = time.process_time()
        feeder.stdin.write(f"{channel} {size} {commands // size}\n")
        feeder.stdin.flush()
        await receive(commands)
        return (time.process_time() - used) / commands * 1e6

    return cost


async def measure(
    port: int, feeder: "subprocess.Popen[str]", batches: dict[int, int], rounds: int
) -> dict[tuple[str, str, int], list[float]]:
    """Return the costs of each round by direction, way, and size of the batches."""
    rng = random.Random(1)
    taken: dict[tuple[str, str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        ways: list[tuple[str, str, Cost]] = []
        for name, way in PUBLISHING.items():
            ways.append((PUBLISHED, name, publishing(await stack.enter_async_context(way(port)))))
        for number, (name, hears) in enumerate(RECEIVING.items()):
            channel = f"bench:receive:{number}"
            receive = await stack.enter_async_context(hears(port, channel))
            ways.append((RECEIVED, name, receiving(receive, channel, feeder)))
        order = [(*way, size) for way in ways for size in batches]
        labels = [(direction, name, size) for direction, name, _, size in order]
        taken = {label: [] for label in labels}
        with Progress(transient=True, auto_refresh=False) as progress:
            bar = progress.add_task("rounds", total=(rounds + 1) * len(order))
            for number in range(rounds + 1):
                rng.shuffle(order)  # the order must not matter
                for direction, name, cost, size in order:
                    us = await cost(size, batches[size])
                    if number:  # the first round warms up
                        taken[direction, name, size].append(us)
                    progress.advance(bar)
                progress.refresh()
    return taken


def rows(taken: dict[tuple[str, str, int], list[float]]) -> list[Sequence[Any]]:
    """Return the rows of the table."""
    made: list[Sequence[Any]] = []
    for (direction, name, size), costs in sorted(taken.items(), key=lambda item: (item[0][0], item[0][2])):
        reference = taken[direction, REFERENCE, size]
        ratios = [cost / other for cost, other in zip(costs, reference, strict=True)]
        cells = [statistics.median(costs), statistics.median(ratios), min(ratios), max(ratios)]
        made.append([f"{direction}: {name}", size, *cells])
    return made


def main() -> None:
    """Run the benchmark."""
    flags = parser("CPU of a Redis client for each command and each message.")
    flags.add_argument("--rounds", type=int, default=7, help="rounds of each way")
    arguments = flags.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    batches = {size: commands // 4 if arguments.quick else commands for size, commands in BATCHES.items()}
    with tempfile.TemporaryDirectory(prefix="ringway-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        command = [sys.executable, str(Path(__file__).with_name("redis_clients_feeder.py")), str(server.port)]
        feeder = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        cores = sorted(os.sched_getaffinity(0))
        for pid, core in ((0, cores[0]), (server.pid, cores[-1]), (feeder.pid, cores[-1])):
            os.sched_setaffinity(pid, {core})  # otherwise chance decides if they share a core, and changes all figures
        try:
            taken = uvloop.run(measure(server.port, feeder, batches, rounds))
        finally:
            feeder.kill()
            feeder.communicate()
            server.stop()
    result = Result(
        f"Redis clients: {len(PAYLOAD)} B, CPU of the client",
        ["way", "batch", "CPU µs each", f"ratio to {REFERENCE}", "lowest", "highest"],
        rows(taken),
    )
    result.settings = {"rounds": rounds, "commands": batches, "payload_bytes": len(PAYLOAD)}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
