"""Processor time of a node for a client that connects with a token and subscribes to 5 channels, beside one without.

One node, a process of its own, on one NATS server; rights are checked in all trials. Each client opens a WebSocket,
sends `connect` and 5 `subscribe` in one frame, waits for all replies, and closes. Kinds of clients take turns:

- *without a token*: the reference;
- *token*: a token by HMAC in `connect`, and the same subscriptions;
- *token, 5 of its channels*: the channels are in the token, so that the server subscribes the client;
- *token, and one for each channel*: private channels, each with a subscription token of its own.

    scripts/bench connect [--clients 300] [--rounds 7]
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence

import uvloop
from websockets.asyncio.client import connect

from node_process import cpu_s, nats_running, node_running
from report import Claim, Result, parser, publish
from support.system import free_port
from support.tokens import SECRET, make_token

PATH = "/connection/websocket"
CHANNELS = [f"room{number}" for number in range(5)]
TIMES_MAX = 1.3
REFERENCE, TOKEN = "without a token", "token"
SUBSCRIBED, FOR_EACH = "token, 5 of its channels", "token, and one for each channel"

Frame = tuple[bytes, int]
"""A frame of commands, and the id of the last."""


def frame(connect_request: dict[str, object], subscribes: Sequence[dict[str, object]]) -> Frame:
    """Return the frame with a connect command and subscribe commands."""
    commands = [{"id": 1, "connect": connect_request}]
    commands += [{"id": number, "subscribe": each} for number, each in enumerate(subscribes, 2)]
    return "\n".join(json.dumps(command) for command in commands).encode(), len(commands)


def kinds() -> dict[str, Callable[[int], Frame]]:
    """Return the frame of a client of each kind; it is given the client's number."""
    until = time.time() + 3600
    plain: list[dict[str, object]] = [{"channel": name} for name in CHANNELS]

    def token(number: int, **claims: object) -> dict[str, object]:
        about = {"sub": f"u{number}", "exp": until, "iat": until - 7200, "info": {"name": f"user {number}"}}
        return {"token": make_token({**about, **claims})}

    def for_each(number: int) -> Frame:
        names = [f"${name}" for name in CHANNELS]
        tokens = [make_token({"sub": f"u{number}", "channel": name, "exp": until}) for name in names]
        wanted: list[dict[str, object]] = [
            {"channel": name, "token": each} for name, each in zip(names, tokens, strict=True)
        ]
        return frame(token(number), wanted)

    return {
        REFERENCE: lambda number: frame({}, plain),
        TOKEN: lambda number: frame(token(number), plain),
        SUBSCRIBED: lambda number: frame(token(number, channels=CHANNELS), []),
        FOR_EACH: for_each,
    }


async def visit(port: int, sent: Frame) -> None:
    """Connect, subscribe, and leave; raise `RuntimeError` if something is refused."""
    commands, last = sent
    async with connect(f"ws://127.0.0.1:{port}{PATH}", ping_interval=None, compression=None) as socket:
        await socket.send(commands.decode())
        while True:
            for line in str(await socket.recv()).split("\n"):
                reply = json.loads(line)
                if "error" in reply:
                    raise RuntimeError(f"a command was refused: {reply}")
                if reply.get("id") == last:
                    return


async def measure(clients: int, rounds: int) -> Result:
    """Start all, and let the kinds take turns."""
    result = Result("Connect with 5 subscriptions, one node on NATS", ("", "best µs", "median µs", "times the first"))
    result.settings = {"clients": clients, "rounds": rounds}
    port = free_port()
    space = "default:history_size=0,allow_subscribe_for_client=true,allow_subscribe_for_anonymous=true"
    options = (
        "--port", f"{port}", "--namespace", space, "--allow-anonymous-connect-without-token",
        "--token-hmac-secret-key", SECRET.decode(),
    )  # fmt: skip
    found = kinds()
    per_client: dict[str, list[float]] = {name: [] for name in found}
    async with (
        nats_running() as url,
        node_running(lambda: visit(port, found[REFERENCE](0)), "--engine", url, *options) as process,
    ):
        for number in range(rounds + 1):
            for name, make in found.items():
                frames = [make(client) for client in range(clients)]
                before = cpu_s(process)
                for each in frames:
                    await visit(port, each)
                await asyncio.sleep(0.2)  # the node is done with those that left
                if number:
                    per_client[name].append(1e6 * (cpu_s(process) - before) / clients)
    reference = statistics.median(per_client[REFERENCE])
    for name, values in per_client.items():
        result.rows.append([name, min(values), statistics.median(values), statistics.median(values) / reference])
    times = statistics.median(per_client[TOKEN]) / reference
    result.claims = [Claim("a connect with a token and 5 subscriptions, times one without", times, at_most=TIMES_MAX)]
    return result


def main() -> None:
    """Run the benchmark."""
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--clients", type=int, default=300, help="clients of each kind in a round")
    flags.add_argument("--rounds", type=int, default=7, help="rounds that count")
    given = flags.parse_args()
    clients, rounds = (100, 3) if given.quick else (given.clients, given.rounds)
    publish(uvloop.run(measure(clients, rounds)), given.json)


if __name__ == "__main__":
    main()
