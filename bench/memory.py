"""Resident memory of a node for each idle connection with one subscription.

The node is a process of its own, on a real NATS; the connections come from four other processes. The growth of the
node's resident set is measured, from before the first connection until all have been idle for a while, without
trimming.

    scripts/bench memory [--connections 8000]
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import Progress

from report import Claim, Result, parser, publish
from ringway.engine.nats.embedded import EmbeddedNats

HERE = Path(__file__).parent
CLIENTS = 4
SETTLE_S = 8.0


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def resident_bytes(process: "subprocess.Popen[str]") -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ask(process: "subprocess.Popen[str]") -> list[int]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return [int(word) for word in process.stdout.readline().split()]


def measure(url: str, connections: int, channels: str, settle_s: float) -> tuple[float, float]:
    """Return the node's resident MiB before, and KiB for each connection."""
    processes = [start("memory_node.py", url)]
    node = processes[0]
    try:
        assert node.stdout is not None
        port = node.stdout.readline().strip()
        time.sleep(1.0)
        before = resident_bytes(node)
        share = connections // CLIENTS
        with Progress(transient=True) as progress:
            bar = progress.add_task(f"{channels}: joining", total=connections)
            processes += [start("fanout_client.py", port, str(share), "room", channels) for _ in range(CLIENTS)]
            while (joined := ask(node)[0]) < share * CLIENTS:
                progress.update(bar, completed=joined)
                time.sleep(0.2)
            progress.update(bar, description=f"{channels}: settling", completed=joined)
            time.sleep(settle_s)
        joined, held = ask(node)
        if joined != share * CLIENTS or held != (joined if channels == "own" else 1):
            raise RuntimeError(f"{joined} connections and {held} channels are not what was asked for")
        return before / 2**20, (resident_bytes(node) - before) / joined / 1024
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    """Run the benchmark."""
    flags = parser("Resident memory of a node for each idle connection with one subscription.")
    flags.add_argument("--connections", type=int, default=8000, help="idle connections")
    arguments = flags.parse_args()
    connections = 2000 if arguments.quick else arguments.connections
    settle_s = 3.0 if arguments.quick else SETTLE_S
    result = Result(
        f"memory: {connections} idle connections, one subscription each",
        ["channels", "node before, MiB", "KiB / connection"],
    )
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedNats(Path(directory))
        asyncio.run(server.start())
        try:
            for channels in ("shared", "own"):
                before, each = measure(server.url, connections, channels, settle_s)
                result.rows.append([f"{channels}", before, each])
                result.claims.append(Claim(f"KiB per connection, channel {channels}", each, at_most=11.0))
        finally:
            asyncio.run(server.stop())
    result.settings = {"connections": connections, "clients": CLIENTS}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
