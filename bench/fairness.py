"""Admission of newcomers while one address attacks: their number and delay, through the proxy and directly.

A system of one gateway and two nodes, as `ringway up` starts it. One address asks `GET /gateway` two thousand times a
second, or holds 4,500 silent sockets at the gateway, at each node and at the admin port. Meanwhile newcomers come from
other addresses, each from its own: half of the time they open a WebSocket at the gateway, and half of the time they ask
for a node, wait for their slot, and connect to it. A newcomer is in when its connect command was answered.

    scripts/bench fairness [--newcomers 100] [--asks 2000] [--sockets 4500]
"""

import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from report import Claim, Result, parser, publish
from support.system import System, running_system

ATTACKER = Path(__file__).with_name("fairness_attacker.py")
GREEDY = "127.0.0.2"
PATH = "/connection/websocket"
PATIENCE_S = 10.0
CONNECT = b'{"id":1,"connect":{}}'


@dataclass(slots=True)
class Outcome:
    """The results of the newcomers of one path."""

    took_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def p99_s(self) -> float:
        return sorted(self.took_s)[min(len(self.took_s) - 1, round(0.99 * len(self.took_s)))] if self.took_s else 99.0


@contextmanager
def attack(*attacks: tuple[str, int, int]) -> Iterator[None]:
    """Let one address attack for the block: with this attack, at this port, of this size."""
    running = []
    try:
        for how, port, much in attacks:
            command = [sys.executable, str(ATTACKER), how, GREEDY, str(port), str(much)]
            running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(lines[0].split()[1]), headers, body


async def enter(source: str, port: int, target: str) -> None:
    """Open a WebSocket and connect; raise `ConnectionError` if that is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        status, _, body = await read_head(reader)
        if status != 101:
            raise ConnectionError(f"{status} {body.decode()}")
        writer.write(bytes((0x81, 0x80 | len(CONNECT), 0, 0, 0, 0)) + CONNECT)
        answer = await reader.readexactly(2)
        if answer[0] != 0x81:
            raise ConnectionError(f"closed at once: {await reader.read(125)!r}")
    finally:
        writer.close()


async def enter_directly(source: str, port: int) -> None:
    """Ask for a node, wait, and connect to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        writer.write(b"GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        status, _, body = await read_head(reader)
    finally:
        writer.close()
    if status != 200:
        raise ConnectionError(f"{status} {body.decode()}")
    told = json.loads(body)
    await asyncio.sleep(told.get("wait_ms", 0) / 1000)
    url = urlsplit(told["url"])
    await enter(source, url.port or 80, f"{url.path}?{url.query}")


async def come(outcome: Outcome, number: int, port: int, *, directly: bool) -> None:
    """Let one newcomer come; it tries once."""
    source = f"127.0.{2 if directly else 1}.{number + 1}"
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await (enter_directly(source, port) if directly else enter(source, port, PATH))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        outcome.failed.append(f"{type(error).__name__} {error}")
    else:
        outcome.took_s.append(time.monotonic() - began)


async def newcomers(port: int, count: int, per_s: float, *, directly: bool) -> Outcome:
    """Let `count` newcomers come, one after the other, and return their results."""
    outcome = Outcome()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(come(outcome, number, port, directly=directly))
            await asyncio.sleep(1.0 / per_s)
    return outcome


def port_of(url: str) -> int:
    return urlsplit(url).port or 80


def plans(system: System, asks: int, sockets: int) -> dict[str, list[tuple[str, int, int]]]:
    """Return the attacks by name."""
    gateway = port_of(system.gateway_url)
    nodes = [port_of(node["url"]) for node in system.nodes().values()]
    return {
        "nobody": [],
        f"{asks:,} GET /gateway a second": [("ask", gateway, asks)],
        f"{sockets:,} silent sockets at each member": [
            ("silent", port, sockets) for port in (gateway, port_of(system.admin_url), *nodes)
        ],
    }


def main() -> int:
    flags = parser("Newcomers while one address takes all that it can")
    flags.add_argument("--newcomers", type=int, default=100, help="for each path; at most 250")
    flags.add_argument("--per-second", type=float, default=25.0, help="newcomers a second")
    flags.add_argument("--asks", type=int, default=2000, help="GET /gateway a second")
    flags.add_argument("--sockets", type=int, default=4500, help="silent sockets at each member")
    flags.add_argument("--settle", type=float, default=5.0, help="seconds of attack before the newcomers come")
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.newcomers, chosen.sockets, chosen.settle = 30, 500, 1.0
    console = Console(stderr=True)
    settings = {name: value for name, value in vars(chosen).items() if name not in ("json", "quick")}
    result = Result(
        "Newcomers while one address takes all it can",
        ("one address", "path", "got in", "p50", "p99", "longest"),
        settings=settings,
    )
    with running_system(nodes=2) as system:
        port = port_of(system.gateway_url)
        for name, attacks in plans(system, chosen.asks, chosen.sockets).items():
            with attack(*attacks):
                time.sleep(chosen.settle if attacks else 1.0)
                for path in ("proxied", "direct"):
                    outcome = asyncio.run(
                        newcomers(port, chosen.newcomers, chosen.per_second, directly=path == "direct")
                    )
                    for problem in outcome.failed[:3]:
                        console.print(f"{name}, {path}: {problem}", highlight=False)
                    took = outcome.took_s or [0.0]
                    result.rows.append((
                        name, path, f"{len(outcome.took_s)} of {chosen.newcomers}",
                        f"{1000 * statistics.median(took):.0f} ms", f"{1000 * outcome.p99_s:.0f} ms",
                        f"{1000 * max(took):.0f} ms",
                    ))  # fmt: skip
                    result.claims.append(
                        Claim(f"{name}, {path}: shut out", chosen.newcomers - len(outcome.took_s), at_most=0)
                    )
                    result.claims.append(Claim(f"{name}, {path}: p99 in s", outcome.p99_s, at_most=1.0))
            time.sleep(1.0)
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
