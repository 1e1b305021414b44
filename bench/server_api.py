"""Cost of the server API: the duration of a publication at 1,000 a second, and of a broadcast to 1,000 channels.

One node, a process of its own, on one NATS server. Calls come over keep-alive connections at a fixed rate, and each is
timed from the moment at which it was due. The references are in the same run, at the same rate:

- *engine alone*: the same publications by the engine's port, from this process: no HTTP, and no node;
- *client*: the same by a WebSocket client of the node.

The processor time is that of the node, for each call.

    scripts/bench server_api [--seconds 10] [--rate 1000] [--channels 1000]
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from node_process import cpu_s, nats_running, node_running
from report import Claim, Result, parser, percentile, publish
from ringway.engine.nats.opening import open_nats
from ringway.ports import Engine, Retention
from ringway.types import Channel
from support.system import free_port

KEY = "k" * 32
SPACES = ("default:history_size=0", "kept:history_size=100")
KEPT = Retention("kept", 100, 300.0)
CALLERS = 16
PATH = "/connection/websocket"
DATA = b'{"text":"' + b"x" * 100 + b'"}'
P99_MS_MAX = 5.0
DEADLINE_S = 5.0

Call = Callable[[int], Awaitable[None]]


class Caller:
    """A keep-alive connection to the API, for one call at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Caller":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def call(self, method: str, body: bytes) -> bytes:
        head = f"POST /api/{method} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        head_back = await self._reader.readuntil(b"\r\n\r\n")
        size = int(head_back.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await self._reader.readexactly(size)
        if not head_back.startswith(b"HTTP/1.1 200") or b'"error"' in answer:
            raise RuntimeError(f"a call was refused: {answer[:200]!r}")
        return answer

    def close(self) -> None:
        self._writer.close()


class Api:
    """Callers that take turns."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._idle: asyncio.Queue[Caller] = asyncio.Queue()
        for caller in callers:
            self._idle.put_nowait(caller)

    async def call(self, method: str, body: bytes) -> None:
        caller = await self._idle.get()
        await caller.call(method, body)
        self._idle.put_nowait(caller)


class Publisher:
    """A WebSocket client that publishes."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port: int) -> "Publisher":
        publisher = cls(await connect(f"ws://127.0.0.1:{port}{PATH}", ping_interval=None, compression=None))
        await publisher.ask(b'"connect":{}')
        return publisher

    async def ask(self, request: bytes) -> None:
        number = next(self._ids)
        done = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send((b'{"id":%d,%b}' % (number, request)).decode())
        await done

    async def _read(self) -> None:
        async for message in self._socket:
            for line in str(message).split("\n"):
                reply = json.loads(line)
                if not reply:
                    await self._socket.send("{}")
                elif "error" in reply:
                    self._waiting.pop(reply["id"]).set_exception(RuntimeError(f"a command was refused: {reply}"))
                else:
                    self._waiting.pop(reply["id"]).set_result(None)

    async def close(self) -> None:
        self._reading.cancel()
        await self._socket.close()


def start_node(url: str, port: int, api_port: int) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    async def is_ready() -> None:
        caller = await Caller.open(api_port)
        await caller.call("info", b"{}")
        caller.close()

    spaces = [word for space in SPACES for word in ("--namespace", space)]
    return node_running(
        is_ready, "--engine", url, "--port", f"{port}", "--http-api-port", f"{api_port}", "--http-api-key", KEY,
        "--commands-burst", "100000", "--commands-per-s", "100000", "--new-channels-per-s", "100000",
        "--new-channels-burst", "100000", "--insecure", *spaces,
    )  # fmt: skip


async def trial(call: Call, rate: float, seconds: float) -> list[float]:
    """Call at `rate` for `seconds`; return the duration of each call in ms, from the moment at which it was due."""
    took: list[float] = []

    async def one(number: int, due: float) -> None:
        await call(number)
        took.append(1000 * (time.perf_counter() - due))

    begun = time.perf_counter() + 0.1
    running = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*running)
    return sorted(took)


def engine_publish(engine: Engine, kept: bool) -> Call:
    async def call(number: int) -> None:
        channel = Channel(f"{'kept:' if kept else ''}e{number % 100}")
        if kept:
            await engine.history.append(channel, b"x" * 160, KEPT)
        else:
            await engine.broker.publish(channel, b"x" * 160)

    return call


def engine_broadcast(engine: Engine, kept: bool, channels: int) -> Call:
    names = [Channel(f"{'kept:' if kept else ''}e{at}") for at in range(channels)]
    payload = b"x" * 160

    async def call(number: int) -> None:
        if kept:
            await engine.history.append_many([(name, payload, "") for name in names], KEPT, deadline_s=DEADLINE_S)
        else:
            await engine.broker.publish_many([(name, payload) for name in names], deadline_s=DEADLINE_S)

    return call


async def measure(seconds: float, rate: float, channels: int) -> Result:
    """Start all, and make the trials."""
    columns = ("what", "history", "by", "calls/s", "p50 ms", "p99 ms", "longest ms", "node CPU ms")
    result = Result("Server API, one node on NATS", columns)
    result.settings = {"seconds": seconds, "rate": rate, "channels": channels, "callers": CALLERS}
    port, api_port = free_port(), free_port()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(nats_running())
        process = await stack.enter_async_context(start_node(url, port, api_port))
        engine = await open_nats(url, name="bench")
        stack.push_async_callback(engine.close)
        publisher = await Publisher.open(port)
        stack.push_async_callback(publisher.close)
        api = Api([await Caller.open(api_port) for _ in range(CALLERS)])
        for kept in (False, True):
            space = "kept:" if kept else ""
            names = [f"{space}e{at}" for at in range(channels)]
            broadcast = json.dumps({"channels": names, "data": json.loads(DATA)}).encode()

            async def api_publish(number: int, space: str = space) -> None:
                body = b'{"channel":"%b","data":%b}' % (f"{space}e{number % 100}".encode(), DATA)
                await api.call("publish", body)

            async def client_publish(number: int, space: str = space) -> None:
                channel = f"{space}e{number % 100}".encode()
                await publisher.ask(b'"publish":{"channel":"%b","data":%b}' % (channel, DATA))

            async def api_broadcast(number: int, body: bytes = broadcast) -> None:
                await api.call("broadcast", body)

            trials: tuple[tuple[str, str, Call, float], ...] = (
                ("publish", "engine alone", engine_publish(engine, kept), rate),
                ("publish", "client", client_publish, rate),
                ("publish", "API", api_publish, rate),
                (f"broadcast to {channels}", "engine alone", engine_broadcast(engine, kept, channels), 5.0),
                (f"broadcast to {channels}", "API", api_broadcast, 5.0),
            )
            for what, by, call, at in trials:
                await trial(call, at, min(1.0, seconds))
                began, cpu = time.perf_counter(), cpu_s(process)
                took = await trial(call, at, seconds)
                per_s = len(took) / (time.perf_counter() - began)
                each = 1000 * (cpu_s(process) - cpu) / len(took)
                p99 = percentile(took, 0.99)
                row = (what, "yes" if kept else "no", by, f"{per_s:,.0f}", f"{percentile(took, 0.5):.2f}")
                result.rows.append((*row, f"{p99:.2f}", f"{took[-1]:.2f}", f"{each:.2f}"))
                if by == "API":
                    told = f"p99 in ms of {what}{', with history' if kept else ''}"
                    result.claims.append(Claim(told, p99, at_most=P99_MS_MAX))
    return result


def main() -> None:
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--seconds", type=float, default=10.0, help="how long each trial lasts")
    flags.add_argument("--rate", type=float, default=1000.0, help="publications a second")
    flags.add_argument("--channels", type=int, default=1000, help="channels of a broadcast")
    given = flags.parse_args()
    seconds = 2.0 if given.quick else given.seconds
    publish(uvloop.run(measure(seconds, given.rate, given.channels)), given.json)


if __name__ == "__main__":
    main()
