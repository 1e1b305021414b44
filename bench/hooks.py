"""Cost of hooks: other clients while a hook hangs, and the processor time of a connect that a hook decides.

One node, a process of its own, on one NATS server. A client publishes at a fixed rate, each publication timed from the
moment at which it was due. Meanwhile other clients connect at a fixed rate, and a hook is asked who they are. Three
trials take turns: nobody connects; the hook answers at once; the hook hangs, without a breaker, which is the worst
case. Percentiles are the medians of those of the trials. Then clients connect one after the other, to the same node by
hook and to one without hooks; the processor time is that of the node's process.

    scripts/bench hooks [--seconds 4] [--turns 7] [--publishes 200] [--connects 100] [--count 1000]
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median

import uvloop
from websockets.asyncio.client import connect

from report import Claim, Result, parser, percentile, publish
from ringway.engine.nats.embedded import EmbeddedNats
from server_api import PATH, Publisher, trial
from support.system import free_port

RATIO_MAX = 2.0
TICKS = os.sysconf("SC_CLK_TCK")
ANSWER = b'{"result":{"user":"carol","info":{"name":"Carol"}}}'


class HookServer:
    """A backend that answers every request in the same way, or hangs."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                self.asked += 1
                await self.may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        writer.close()


async def start_node(url: str, hook_port: int) -> tuple[asyncio.subprocess.Process, int]:
    """Start a node, with a connect hook if there is a port for it; return its process and its port."""
    port = free_port()
    options = [
        "--engine", url, "--port", f"{port}", "--secret", "s" * 32, "--namespace", "default:history_size=0",
        "--commands-burst", "100000", "--commands-per-s", "100000", "--no-shed-handshakes", "--insecure",
    ]  # fmt: skip
    if hook_port:
        hook = f"app:endpoint=http://127.0.0.1:{hook_port}/,breaker_failures=0"
        options += ["--hook", hook, "--connect-hook", "app"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringway", "node", *options, stderr=asyncio.subprocess.DEVNULL
    )
    while True:
        try:
            await connect_once(port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return process, port


async def connect_once(port: int) -> None:
    """Open a WebSocket, connect, wait for the reply, whatever it is, and leave."""
    async with connect(f"ws://127.0.0.1:{port}{PATH}", ping_interval=None, compression=None) as socket:
        await socket.send('{"id":1,"connect":{}}')
        await socket.recv()


def cpu_s(process: asyncio.subprocess.Process) -> float:
    """Return the processor time of `process` until now, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@asynccontextmanager
async def newcomers(port: int, rate: float) -> AsyncIterator[None]:
    """Let `rate` clients a second connect."""
    running: set[asyncio.Task[None]] = set()

    async def come() -> None:
        with suppress(OSError):
            await connect_once(port)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while rate:
            task = asyncio.create_task(come())
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - loop.time()))

    coming = asyncio.create_task(run())
    await asyncio.sleep(1.5)  # until as many are under way as there will be
    try:
        yield
    finally:
        coming.cancel()
        await asyncio.gather(coming, *running, return_exceptions=True)


async def cost_of_a_connect(process: asyncio.subprocess.Process, port: int, count: int) -> float:
    """Return the node's processor time of one of `count` connects, in µs."""
    before = cpu_s(process)
    for _ in range(count):
        await connect_once(port)
    return (cpu_s(process) - before) / count * 1e6


async def measure(arguments: object) -> Result:
    """Start all, and make the trials."""
    seconds, turns, rate, connects, count = (
        getattr(arguments, name) for name in ("seconds", "turns", "publishes", "connects", "count")
    )
    result = Result("Hooks, one node on NATS", ("what", "p50", "p99", "longest"))
    result.settings = {
        "seconds": seconds, "turns": turns, "publishes a second": rate, "connects a second": connects, "count": count,
    }  # fmt: skip
    hook = HookServer()
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        nats = EmbeddedNats(Path(folder))
        await nats.start()
        asked, port = await start_node(nats.url, server.sockets[0].getsockname()[1])
        plain, plain_port = await start_node(nats.url, 0)
        publisher = await Publisher.open(port)

        async def say(number: int) -> None:
            await publisher.ask(b'"publish":{"channel":"c","data":%d}' % number)

        took: dict[str, list[list[float]]] = {"nobody connects": [], "the hook answers": [], "the hook hangs": []}
        try:
            for _ in range(turns):
                for what, found in took.items():
                    if what == "the hook hangs":
                        hook.may_answer.clear()
                    async with newcomers(port, 0 if what == "nobody connects" else connects):
                        found.append(await trial(say, rate, seconds))
                    hook.may_answer.set()
            times: dict[str, list[float]] = {"by hook": [], "without": []}
            for _ in range(turns):
                times["by hook"].append(await cost_of_a_connect(asked, port, count))
                times["without"].append(await cost_of_a_connect(plain, plain_port, count))
        finally:
            await publisher.close()
            for process in (asked, plain):
                process.terminate()
                await process.wait()
            await nats.stop()
            server.close()
    p99s: dict[str, float] = {}
    for what, trials in took.items():
        p50, p99s[what] = (median(percentile(found, share) for found in trials) for share in (0.5, 0.99))
        longest = max(found[-1] for found in trials)
        result.rows.append((f"publish, {what}, ms", f"{p50:.2f}", f"{p99s[what]:.2f}", f"{longest:.1f}"))
    for what, each in times.items():
        result.rows.append((f"connect {what}, CPU µs", f"{median(each):.0f}", "", f"{max(each):.0f}"))
    ratio = p99s["the hook hangs"] / p99s["the hook answers"]
    result.claims.append(Claim("p99 of other clients, a hook that hangs to one that answers", ratio, at_most=RATIO_MAX))
    return result


def main() -> None:
    """Run the benchmark."""
    flags = parser("Other clients while a hook hangs, and the cost of a connect by hook.")
    flags.add_argument("--seconds", type=float, default=4.0, help="length of one trial")
    flags.add_argument("--turns", type=int, default=7, help="turns of the trials")
    flags.add_argument("--publishes", type=float, default=200.0, help="publications a second")
    flags.add_argument("--connects", type=float, default=100.0, help="connects a second")
    flags.add_argument("--count", type=int, default=1000, help="connects whose processor time is measured")
    arguments = flags.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.turns, arguments.count = 2.0, 1, 200
    publish(uvloop.run(measure(arguments)), arguments.json)


if __name__ == "__main__":
    main()
