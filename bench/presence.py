"""Cost of a question about presence: its duration, the highest rate, and the CPU of the nodes.

Three nodes, each a process of its own, on one NATS server, with `--subscribers` clients in one channel, spread over
them. Askers at every node ask `presence_stats`, each its next question when it has the previous answer:

- *same*: all ask for that channel;
- *each its own*: every question is about a new channel, with one subscriber at each node;
- *one node's*: the same, for channels whose only subscriber is at the asker's own node.

    scripts/bench presence [--seconds 5] [--subscribers 60] [--askers 12]
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from node_process import cpu_s, nats_running, node_running
from report import Result, parser, percentile, publish
from support.system import free_port

NODES = 3
OWN_CHANNELS = 3000
PATH = "/connection/websocket"


class Peer:
    """A connected client."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, port: int) -> "Peer":
        peer = cls(await connect(f"ws://127.0.0.1:{port}{PATH}", ping_interval=None, compression=None))
        await peer.ask({"connect": {}})
        return peer

    async def close(self) -> None:
        await self._socket.close()

    async def ask(self, *requests: dict[str, object]) -> dict[str, object]:
        """Send commands in one frame; return the last one's reply."""
        commands = [{"id": next(self._ids), **request} for request in requests]
        await self._socket.send("\n".join(map(json.dumps, commands)))
        while True:
            for line in str(await self._socket.recv()).split("\n"):
                reply = json.loads(line)
                if "error" in reply:
                    raise RuntimeError(f"a command was refused: {reply}")
                if reply.get("id") == commands[-1]["id"]:
                    return dict(reply)


def start_node(url: str, port: int) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    async def is_ready() -> None:
        await (await Peer.open(port)).close()

    return node_running(
        is_ready, "--engine", url, "--port", f"{port}", "--insecure", "--namespace", "default:history_size=0",
        "--subscriptions-max", "100000", "--commands-burst", "100000", "--commands-per-s", "100000",
        "--ping-interval-s", "3600", "--answer-bytes-per-s", "1e9", "--answer-bytes-burst", "1000000000",
    )  # fmt: skip


async def trial(askers: list[Peer], channel_of: Callable[[int], str], seconds: float) -> tuple[list[float], float]:
    """Let all askers ask for `seconds`; return the duration of each question, and the time that they asked."""
    took: list[float] = []
    started = time.perf_counter()

    async def ask(number: int, peer: Peer) -> None:
        while (at := time.perf_counter()) - started < seconds:
            reply = await peer.ask({"presence_stats": {"channel": channel_of(number)}})
            took.append(time.perf_counter() - at)
            assert reply["presence_stats"]["num_clients"] > 0, reply  # type: ignore[index]

    await asyncio.gather(*(ask(number, peer) for number, peer in enumerate(askers)))
    return took, time.perf_counter() - started


async def measure(seconds: float, subscribers: int, askers: int) -> Result:
    """Start all, and make the trials."""
    columns = ("channel", "askers", "questions/s", "p50 ms", "p99 ms", "node CPU µs/question")
    result = Result("Presence, three nodes on NATS", columns)
    result.settings = {"seconds": seconds, "subscribers": subscribers, "askers": askers}
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(nats_running())
        ports = [free_port() for _ in range(NODES)]
        nodes = [(await stack.enter_async_context(start_node(url, port)), port) for port in ports]
        peers = [await Peer.open(port) for _, (_, port) in zip(range(subscribers), itertools.cycle(nodes))]
        for peer in peers:
            await peer.ask({"subscribe": {"channel": "same"}})
        for number, (_, port) in enumerate(nodes):
            peers.append(await Peer.open(port))
            every = [f"own{at}" for at in range(OWN_CHANNELS)] + [f"at{number}-{at}" for at in range(OWN_CHANNELS)]
            for at in range(0, len(every), 500):
                await peers[-1].ask(*({"subscribe": {"channel": channel}} for channel in every[at : at + 500]))
        await asyncio.sleep(2.5)  # the nodes have heard of each other
        own, alone = itertools.count(), itertools.count()
        trials: tuple[tuple[str, Callable[[int], str]], ...] = (
            ("same", lambda number: "same"),
            ("each its own", lambda number: f"own{next(own) % OWN_CHANNELS}"),
            ("one node's", lambda number: f"at{number % NODES}-{next(alone) % OWN_CHANNELS}"),
        )
        for name, channel_of in trials:
            for many in (1, askers):
                asking = [await Peer.open(nodes[number % NODES][1]) for number in range(many)]
                before = sum(cpu_s(process) for process, _ in nodes)
                took, lasted = await trial(asking, channel_of, seconds)
                cpu = sum(cpu_s(process) for process, _ in nodes) - before
                ms = sorted(1000 * one for one in took)
                row = (name, many, f"{len(took) / lasted:,.0f}", f"{percentile(ms, 0.5):.2f}")
                result.rows.append((*row, f"{percentile(ms, 0.99):.2f}", f"{1e6 * cpu / len(took):.0f}"))
    return result


def main() -> None:
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--seconds", type=float, default=5.0, help="how long each trial lasts")
    flags.add_argument("--subscribers", type=int, default=60, help="clients in the channel that all ask for")
    flags.add_argument("--askers", type=int, default=12, help="clients that ask, over all nodes")
    given = flags.parse_args()
    seconds = 1.0 if given.quick else given.seconds
    publish(uvloop.run(measure(seconds, given.subscribers, given.askers)), given.json)


if __name__ == "__main__":
    main()
