"""Scripted nodes for tests of moves: they note each message that they receive, and do what the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from cluster_kit import Cluster, cluster
from gateway_kit import Raw, answer_101, eventually, handshake, masked, raw_backend, read_head

from ringway.protocol.frame import CLOSE, CONTINUATION, PING, TEXT, close_payload, read_close, server_frame
from ringway.protocol.move import Move
from ringway.types import NodeName

SLOW_S = 30.0


class Visit:
    """One WebSocket at a node."""

    def __init__(self, raw: Raw, head: bytes) -> None:
        self.raw = raw
        self.head = head.decode()
        self.target = self.head.split(" ")[1]
        self.query = parse_qs(urlsplit(self.target).query)
        self.got: list[bytes] = []  # whole messages
        self.pings: list[bytes] = []
        self.close: tuple[int, str] | None = None  # what the client, or the gateway in its place, closed with
        self.beyond = b""  # what came after that
        self.ended = asyncio.Event()
        self._parts: list[bytes] = []
        self._reads = asyncio.Event()
        self._reads.set()

    def pause(self) -> None:
        """Read no more for now; what was read already is still noted."""
        self._reads.clear()

    def resume(self) -> None:
        self._reads.set()

    async def send(self, *payloads: bytes) -> None:
        await self.raw.send(b"".join(server_frame(TEXT, payload) for payload in payloads))

    async def run(self, node: "Node") -> None:
        """Note frames until the close frame, and then hang up, unless the node never does."""
        try:
            while self.close is None:
                await self._reads.wait()
                first, payload = await self.raw.frame(SLOW_S)
                self._take(first, payload)
            await self.raw.send(node.before_end)
            if not node.hangs_up:
                self.beyond = await self.raw.reader.read()
        finally:
            self.ended.set()

    def _take(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == CLOSE:
            assert not self._parts
            self.close = read_close(payload)
        elif opcode == PING:
            self.pings.append(payload)
        else:
            assert (opcode == CONTINUATION) == bool(self._parts)  # no message begins within another
            self._parts.append(payload)
            if first & 0x80:
                self.got.append(b"".join(self._parts))
                self._parts = []

    @property
    def within_message(self) -> bool:
        return bool(self._parts)


class Node:
    """A node of a cluster, or a static backend. `answer` makes the response to a handshake; None: no response."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.visits: list[Visit] = []
        self.asked: list[str] = []  # request lines, also of handshakes that were not answered well
        self.answer: Callable[[bytes], bytes | None] = answer_101
        self.go = asyncio.Event()  # answers wait for this
        self.go.set()
        self.first = b""  # goes out in one piece with the answer
        self.before_end = b""  # goes out when the client has closed
        self.hangs_up = True

    def listen(self) -> AbstractAsyncContextManager[str]:
        """Serve; yields the URL."""
        return raw_backend(self.serve)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        self.asked.append(head.split(b"\r\n")[0].decode())
        await self.go.wait()
        answer = self.answer(head)
        if answer is None:
            return
        writer.write(answer + self.first)
        if b" 101 " not in answer:
            await reader.read()
            return
        visit = Visit(Raw(reader, writer), head)
        self.visits.append(visit)
        await visit.run(self)

    async def visit(self, index: int = 0) -> Visit:
        await eventually(lambda: len(self.visits) > index, SLOW_S)
        return self.visits[index]

    def refuse(self, status: int) -> None:
        self.answer = lambda head: f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\n{{}}".encode()


class Ring:
    """A gateway and some nodes."""

    def __init__(self, made: Cluster, nodes: list[Node]) -> None:
        self.made = made
        self.nodes = nodes

    @property
    def stats(self):
        return self.made.gateway.stats

    async def dial(self, path: str = "/connection/websocket", **headers: str) -> Raw:
        client = await self.made.dial()
        await client.send(handshake(path, **headers))
        assert (await client.head())[0] == 101
        return client

    def close_frame(self, target: str, ticket: str = "") -> bytes:
        """The close frame by which a node moves a client to `target`."""
        move = Move(NodeName(target), ticket or self.made.ticket(target))
        return server_frame(CLOSE, close_payload(1012, move.reason()))

    async def move(self, visit: Visit, target: Node) -> None:
        await visit.raw.send(self.close_frame(target.name))

    async def idle(self) -> None:
        await eventually(lambda: self.stats.relays_open == 0 and self.stats.handshakes_pending == 0, SLOW_S)
        assert self.stats.relays_moving == 0


@asynccontextmanager
async def ring(count: int = 2, **settings: object) -> AsyncIterator[Ring]:
    """A gateway that knows `count` nodes, and sends newcomers to the first of them."""
    settings = {"move_deadline_s": 20.0, **settings}
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster(**settings))  # type: ignore[arg-type]
        nodes = [Node(f"n{index}") for index in range(count)]
        for index, node in enumerate(nodes):
            node.url = await stack.enter_async_context(node.listen())
            await made.join(node.name, node.url, weight=0.0 if index else 1.0)
        yield Ring(made, nodes)
        await made.hang_up()  # so that stopping has nobody to wait for


def text(payload: bytes) -> bytes:
    return masked(0x81, payload)


async def told(client: Raw) -> tuple[int, str]:
    """The close frame that the client is sent next, and no message before it."""
    first, payload = await client.frame(SLOW_S)
    assert first == 0x88, (first, payload[:80])
    return read_close(payload)
