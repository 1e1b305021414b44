"""Scripted nodes and one or more gateways before them, which answer `GET /gateway`, serve pages, and take reports."""

import asyncio
import json
import mimetypes
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integration.moves.node import Expected, Json, ScriptedNode, Session, make_move, new_ticket
from ringway.protocol.move import Move

PATIENCE_S = 60.0


async def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds."""
    try:
        async with asyncio.timeout(patience_s):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about in {patience_s:g} s") from None


class Gateway:
    """Answers where to connect: by `answers` (status and body), else the cluster's first node or a move's target."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster
        self.port = 0
        self.asked: list[str] = []
        self.answers: list[tuple[int, Json]] = []
        self.files: dict[str, Path] = {}
        self.pages: dict[str, str] = {}
        self.reports: asyncio.Queue[Any] = asyncio.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    def place(self, query: dict[str, list[str]]) -> Json:
        """What a gateway says to this query."""
        node, ticket = query.get("node", [""])[0], query.get("ticket", [""])[0]
        target = self.cluster.nodes.get(node)
        if target is None or ticket not in target.expected:
            target, ticket = self.cluster.first, new_ticket()
        key = f"key={query['key'][0]}&" if "key" in query else ""
        url = f"{target.url}?{key}ticket={ticket}"
        extra = self.cluster.extra
        return {"url": url, "ticket": ticket, "node": target.name, "expires_in": 10, "alternates": [], **extra}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n")[0].split(" ")
            url = urlsplit(target)
            status, kind, body = 200, "application/json", b"{}"
            if method == "POST":
                length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length:"))
                self.reports.put_nowait(json.loads(await reader.readexactly(int(length.split(":")[1]))))
            elif url.path == "/gateway":
                self.asked.append(target)
                answer: tuple[int, Json] | None = self.answers.pop(0) if self.answers else None
                status, value = answer or (200, self.place(parse_qs(url.query)))
                body = json.dumps(value).encode()
            elif url.path in self.pages:
                kind, body = "text/html; charset=utf-8", self.pages[url.path].encode()
            elif url.path in self.files:
                path = self.files[url.path]
                kind, body = mimetypes.guess_type(path.name)[0] or "text/plain", path.read_bytes()
            else:
                status = 404
            writer.write(f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nConnection: close\r\n".encode())
            writer.write(f"Access-Control-Allow-Origin: *\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class Cluster:
    """`async with Cluster("n1", "n2") as cluster`. `extra` goes into every answer; `on_message` sees all that comes."""

    def __init__(self, *names: str, gateways: int = 1) -> None:
        self.nodes = {name: ScriptedNode(self, name) for name in names}
        self.gateways = [Gateway(self) for _ in range(gateways)]
        self.sessions: list[Session] = []
        self.extra: Json = {}
        self.commit_after_s = 0.0
        self.on_message: Callable[[Session, str | bytes], None] = lambda session, message: None
        self._jobs: set[asyncio.Task[None]] = set()
        self._under_way: dict[str, Expected] = {}  # by ticket

    async def __aenter__(self) -> "Cluster":
        for part in (*self.nodes.values(), *self.gateways):
            await part.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for part in (*self.gateways, *self.nodes.values()):
            await part.stop()

    @property
    def first(self) -> ScriptedNode:
        return next(iter(self.nodes.values()))

    @property
    def gateway(self) -> Gateway:
        return self.gateways[0]

    @property
    def session(self) -> Session:
        """The newest session."""
        return self.sessions[-1]

    def run(self, job: Coroutine[Any, Any, None]) -> None:
        """Let `job` go on beside the test, until the end of the cluster."""
        task = asyncio.get_running_loop().create_task(job)
        self._jobs.add(task)

    def other(self, session: Session) -> ScriptedNode:
        """The node after the one that serves `session`."""
        names = list(self.nodes)
        assert session.node is not None
        return self.nodes[names[(names.index(session.node.name) + 1) % len(names)]]

    def move(self, session: Session, target: ScriptedNode | None = None) -> Move:
        """Prepare at `target` (else the next node) and tell the client; the rest is up to it."""
        assert session.peer is not None
        target = target or self.other(session)
        move = make_move(target)
        target.expected[move.ticket] = Expected(session)
        self._under_way[move.ticket] = target.expected[move.ticket]
        peer, session.peer = session.peer, None
        peer.tell(move)
        return move

    def commit(self, move: Move, after_s: float) -> None:
        """The donor's client has answered: the target may serve it."""
        expected = self._under_way.pop(move.ticket)
        if after_s:
            asyncio.get_running_loop().call_later(after_s, expected.committed.set)
        else:
            expected.committed.set()

    def abandon(self, move: Move) -> None:
        """The donor lost the client: nobody serves it."""
        expected = self._under_way.pop(move.ticket)
        expected.abandoned = True
        expected.session.over = (1006, "")
        expected.committed.set()
