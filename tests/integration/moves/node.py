"""A node in the hands of a test that moves its clients with their sessions, by the letter of PROTOCOL.md P-7.

It is no node of channels: it keeps what its clients send, and sends what the test says. Several of them make a
`Cluster`, in which a session goes from node to node as a plain object.
"""

import asyncio
import base64
import hashlib
import itertools
import re
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ringway.protocol.move import Move
from ringway.types import NodeName

if TYPE_CHECKING:
    from integration.moves.cluster import Cluster

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MARK = re.compile(r"[A-Za-z0-9_-]{8,32}")
PATIENCE_S = 30.0

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame from a server."""
    length = len(payload)
    if length < 126:
        return bytes([0x80 | opcode, length]) + payload
    if length < 1 << 16:
        return bytes([0x80 | opcode, 126]) + length.to_bytes(2, "big") + payload
    return bytes([0x80 | opcode, 127]) + length.to_bytes(8, "big") + payload


@dataclass
class Session:
    """One client as the cluster knows it: `received` is all that it sent, `unsent` what waits between two nodes."""

    number: int
    received: list[str | bytes] = field(default_factory=list)
    unsent: deque[str | bytes] = field(default_factory=deque)
    peer: "Peer | None" = None
    moves: int = 0
    over: tuple[int, str] | None = None  # how its last connection ended, where no move ended it

    def send(self, message: str | bytes) -> None:
        """Send now, or when the session goes on at another node."""
        self.unsent.append(message)
        while self.peer is not None and self.unsent:
            self.peer.send(self.unsent.popleft())

    @property
    def node(self) -> "ScriptedNode | None":
        """The node that serves it; None between two nodes."""
        return self.peer.node if self.peer is not None else None


@dataclass
class Expected:
    """A session on its way to a node: served when the donor has committed and the client has come."""

    session: Session
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    abandoned: bool = False


class Peer:
    """One connection. `moves` is what the client said: "1", its mark, or nothing."""

    def __init__(self, node: "ScriptedNode", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.node = node
        self.reader = reader
        self.writer = writer
        self.moves = ""
        self.move: Move | None = None  # the signal was given
        self.closing = False  # a close frame was sent
        self.pongs: list[bytes] = []

    def send(self, message: str | bytes) -> None:
        """Send one message."""
        payload = message.encode() if isinstance(message, str) else message
        self.raw(frame(TEXT if isinstance(message, str) else BINARY, payload))

    def raw(self, data: bytes) -> None:
        """Write `data` as it is."""
        self.writer.write(data)

    def close(self, code: int, reason: str = "") -> None:
        """Begin to close."""
        self.closing = True
        self.raw(frame(CLOSE, struct.pack(">H", code) + reason.encode()))

    def tell(self, move: Move) -> None:
        """Give the signal of a move, in the way that the client asked for; nothing is sent after it."""
        self.move = move
        if self.moves == "1":
            self.close(1012, move.reason())
        else:
            self.send(f"{self.moves} {move.reason()}")

    def is_answer(self, code: int, reason: str) -> bool:
        """Whether a close frame of the client's answers the signal: it might be one of its own that crossed it."""
        return code == 1012 if self.moves == "1" else (code, reason) == (1000, self.moves)

    async def message(self) -> tuple[int, bytes]:
        """The next message or control frame."""
        opcode, whole = 0, b""
        while True:
            first, second = await self.reader.readexactly(2)
            length = second & 127
            if length > 125:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            assert second & 128, "a client masks its frames"
            mask = await self.reader.readexactly(4)
            body = await self.reader.readexactly(length)
            whole_mask = (mask * (length // 4 + 1))[:length]
            payload = (int.from_bytes(body, "big") ^ int.from_bytes(whole_mask, "big")).to_bytes(length, "big")
            if first & 15 >= CLOSE:
                return first & 15, payload
            opcode = opcode or first & 15
            whole += payload
            if first & 128:
                return opcode, whole


class ScriptedNode:
    """See the module. `refuse_resume` (410), `close_resumed` (1012 after 101), `hold_handshake` (answered when it is
    False again), `answers_pings` and `refuse_next` (statuses) are for tests of what goes wrong.
    """

    def __init__(self, cluster: "Cluster", name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.port = 0
        self.paths: list[str] = []
        self.origins: list[str] = []
        self.expected: dict[str, Expected] = {}
        self.refuse_next: list[int] = []
        self.refuse_resume = False
        self.close_resumed = False
        self.hold_handshake = False
        self.answers_pings = True
        self.protocol: str | None = None  # answered in place of the first that is offered
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone at once."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = Peer(self, reader, writer)
        try:
            await self._run(peer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the node is
        finally:
            self._tasks.discard(task)
            self._gone(peer)
            writer.close()

    async def _run(self, peer: Peer) -> None:
        head = (await peer.reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        path = lines[0].split(" ")[1]
        self.paths.append(path)
        self.origins.append(headers.get("origin", ""))
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        while self.hold_handshake:
            await asyncio.sleep(0.005)
        peer.moves = query.get("moves", "")
        assert not peer.moves or peer.moves == "1" or MARK.fullmatch(peer.moves)
        expected = self.expected.pop(query.get("ticket", ""), None) if query.get("resume") == "1" else None
        status = self.refuse_next.pop(0) if self.refuse_next else 101
        if path.startswith("/refuse"):
            status = 403
        if query.get("resume") == "1" and (expected is None or expected.abandoned or self.refuse_resume):
            status = 410
        if status != 101:
            peer.raw(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await peer.writer.drain()
            return
        peer.raw(self._answer(headers))
        if self.close_resumed and expected:
            peer.close(1012)
        session = await self._welcome(peer, expected)
        if session is not None:
            await self._listen(peer, session)

    def _answer(self, headers: dict[str, str]) -> bytes:
        accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {accept}")
        offered = headers.get("sec-websocket-protocol", "").split(",")[0].strip()
        protocol = offered if self.protocol is None else self.protocol
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def _welcome(self, peer: Peer, expected: Expected | None) -> Session | None:
        """The session that `peer` is of from now on; None where the one that it came for is not given to this node."""
        if expected is None:
            session = Session(len(self.cluster.sessions))
            self.cluster.sessions.append(session)
        else:
            session = expected.session
            await asyncio.wait_for(expected.committed.wait(), PATIENCE_S)
            if expected.abandoned:
                peer.close(1012)
                return None
            session.moves += 1
        session.peer = peer
        while session.unsent:
            peer.send(session.unsent.popleft())
        return session

    async def _listen(self, peer: Peer, session: Session) -> None:
        while True:
            opcode, payload = await peer.message()
            if opcode == CLOSE:
                self._closed(peer, session, payload)
                return
            if opcode == PING and peer.move is None and self.answers_pings:
                peer.raw(frame(PONG, payload))
            elif opcode == PONG:
                peer.pongs.append(payload)
            elif opcode < CLOSE:
                message = payload.decode() if opcode == TEXT else payload
                session.received.append(message)
                self.cluster.on_message(session, message)

    def _closed(self, peer: Peer, session: Session, payload: bytes) -> None:
        code, reason = (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")
        if peer.move is None or not peer.is_answer(code, reason):
            session.over = code, reason
        else:
            self.cluster.commit(peer.move, after_s=self.cluster.commit_after_s)
            peer.move = None
        if not peer.closing:
            peer.raw(frame(CLOSE, payload))

    def _gone(self, peer: Peer) -> None:
        """A client that went without an answer takes its session with it."""
        if peer.move is not None:
            self.cluster.abandon(peer.move)
        for session in self.cluster.sessions:
            if session.peer is peer:
                session.peer = None
                session.over = session.over or (1006, "")


_tickets = itertools.count(1)


def new_ticket() -> str:
    """A ticket of the right form."""
    return f"{next(_tickets):044d}"


def make_move(target: ScriptedNode) -> Move:
    """A move to `target`."""
    return Move(NodeName(target.name), new_ticket())


Json = dict[str, Any]
