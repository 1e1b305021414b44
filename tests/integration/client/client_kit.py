"""Kit of the client's tests: nodes and gateways that the test scripts, and that misbehave on demand."""

import asyncio
import contextlib
import json
import ssl as tls
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed as PeerClosed
from websockets.http11 import Request, Response

import ringway

PATIENCE_S = 30.0
TICKET = "T" * 44

QUICK = ringway.ClientConfig(
    open_timeout_s=5.0,
    attempt_timeout_s=2.0,
    command_timeout_s=3.0,
    close_timeout_s=0.5,
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    stable_s=0.000_1,
)
"""Pauses that a test can wait for."""


async def until(condition: Callable[[], Any], what: str = "the condition", patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds."""
    try:
        async with asyncio.timeout(patience_s):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about in {patience_s:g} s") from None


class ScriptedNode:
    """A server of the channel protocol in the hands of a test.

    `refuse_next` statuses answer the next handshakes. `connect`, `subscribe`, `publish` and `rpc` may be replaced: each
    takes the request and returns what stands in the reply, `{"error": ...}` included, or None for no answer at all.
    """

    def __init__(self, name: str = "n1", ssl: tls.SSLContext | None = None) -> None:
        self.name = name
        self.ssl = ssl
        self.paths: list[str] = []
        self.refuse_next: list[tuple[int, dict[str, str]]] = []
        self.connections: list[ServerConnection] = []
        self.commands: list[dict[str, Any]] = []
        self.frames: list[str] = []
        self.pongs = 0
        self.channels: dict[str, set[ServerConnection]] = {}
        self.connect: Callable[[Any], Any] = lambda _: {
            "connect": {"client": f"c{len(self.connections)}", "node": self.name, "ping": 25, "pong": True}
        }
        self.subscribe: Callable[[Any], Any] = lambda _: {"subscribe": {}}
        self.publish: Callable[[Any], Any] = lambda _: {"publish": {}}
        self.rpc: Callable[[Any], Any] = lambda _: {"rpc": {}}
        self.port = 0

    async def __aenter__(self) -> "ScriptedNode":
        options: dict[str, Any] = {"process_request": self._admit, "compression": None, "ssl": self.ssl}
        self._serving = serve(self._serve, "127.0.0.1", 0, **options)
        self._server = await self._serving.__aenter__()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Be gone: no listener, and every connection is cut."""
        for connection in self.connections:
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"{'wss' if self.ssl else 'ws'}://127.0.0.1:{self.port}/connection/websocket"

    @property
    def current(self) -> ServerConnection:
        """The newest connection."""
        return self.connections[-1]

    def of(self, method: str) -> list[Any]:
        """The requests of `method`, in order."""
        return [command[method] for command in self.commands if method in command]

    async def push(self, channel: str, data: object) -> None:
        """Send a publication to the subscribers."""
        frame = json.dumps({"push": {"channel": channel, "pub": {"data": data}}})
        for connection in list(self.channels.get(channel, ())):
            await connection.send(frame)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if not self.refuse_next:
            return None
        status, headers = self.refuse_next.pop(0)
        response = connection.respond(HTTPStatus(status), "refused\n")
        for header, value in headers.items():
            response.headers[header] = value
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(PeerClosed):
            async for frame in connection:
                self.frames.append(frame)
                for line in frame.split("\n"):
                    await self._command(connection, json.loads(line))
        for members in self.channels.values():
            members.discard(connection)

    async def _command(self, connection: ServerConnection, command: dict[str, Any]) -> None:
        if not command:
            self.pongs += 1
            return
        self.commands.append(command)
        for method in ("connect", "subscribe", "publish", "rpc"):
            if method in command:
                answer = getattr(self, method)(command[method])
                if answer is not None:
                    await connection.send(json.dumps({"id": command["id"], **answer}))
                if method == "subscribe" and answer and "error" not in answer:
                    self.channels.setdefault(command[method]["channel"], set()).add(connection)
        if "unsubscribe" in command:
            self.channels.get(command["unsubscribe"]["channel"], set()).discard(connection)
            await connection.send(json.dumps({"id": command["id"], "unsubscribe": {}}))


def refusal(code: int, message: str = "no", *, temporary: bool = False) -> dict[str, Any]:
    """What stands in a reply that refuses a command."""
    return {"error": {"code": code, "message": message, "temporary": temporary}}


def http(status: int, body: object = None, **headers: str) -> bytes:
    """A whole HTTP response; `body` is JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class ScriptedGateway:
    """Answers whatever is asked: by `answers`, in order, then by `usual`. Raw bytes, or None for silence."""

    def __init__(self, usual: Callable[[str], bytes | None], ssl: tls.SSLContext | None = None) -> None:
        self.usual = usual
        self.ssl = ssl
        self.answers: list[bytes | None] = []
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.port = 0

    @classmethod
    def to(cls, *nodes: ScriptedNode, ssl: tls.SSLContext | None = None) -> "ScriptedGateway":
        """A gateway that sends everybody to the first of `nodes`, and a moved client where it belongs."""

        def answer(target: str) -> bytes:
            chosen = next((node for node in nodes if f"node={node.name}&" in target), nodes[0])
            return http(200, {"url": f"{chosen.url}?ticket={TICKET}", "node": chosen.name, "expires_in": 10})

        return cls(answer, ssl)

    @property
    def url(self) -> str:
        return f"{'https' if self.ssl else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "ScriptedGateway":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            self.asked.append(head.split(" ")[1])
            answer = self.answers.pop(0) if self.answers else self.usual(self.asked[-1])
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
