"""Kit of the node's tests: a WebSocket peer made by hand, so that it can break every rule."""

import asyncio
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ringway.engine.memory.engine import MemoryHub
from ringway.node.server import ChannelNode
from ringway.protocol.envelope import PUBLICATION, Origin
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import (
    BALANCER,
    MoveOrder,
    NodeAnswer,
    NodeRequest,
    decode_balancer_request,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.owners import Owners, OwnersRequest, answer_with, version_of
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Channel, Incarnation, NodeName, Role
from support.members import Speaker
from support.sealed import sealed_bus

PATIENCE_S = 30.0
PATH = "/connection/websocket"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
KEYRING = Keyring(b"a secret of tests")
SIGNER = TicketSigner(KEYRING)
N1, N2 = NodeName("n1"), NodeName("n2")

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


_foreign = Origin(KEYRING, Incarnation("0f0f0f0f"), time.time)


def sealed(body: bytes, channel: str = "c") -> bytes:
    """A publication as another node sends it through the engine."""
    return _foreign.seal(PUBLICATION, Channel(channel), body)


async def eventually(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.01)


async def ask(hub: MemoryHub, request: NodeRequest, node: NodeName = N1) -> NodeAnswer:
    """Ask `node` over the bus."""
    return decode_node_answer(
        await sealed_bus(hub.open(), KEYRING).call(node_address(node), encode(request), timeout_s=5)
    )


def order(count: int, *, fence: int = 1, within_s: float = 0.0, owners: str = "") -> MoveOrder:
    """An order to move connections to n2."""
    return MoveOrder(fence=fence, target=N2, count=count, within_s=within_s, owners=owners)


class Leader:
    """A gateway that leads, and says by which owners nodes are to count."""

    def __init__(self, hub: MemoryHub) -> None:
        self._engine = hub.open()
        self._speaker = Speaker(self._engine, KEYRING)
        self._report = Report(
            name=NodeName("g1"), incarnation=Incarnation("0000fff1"), role=Role.GATEWAY, seq=0, url="", leading=True
        )
        self._owners = Owners(table="ring", weights={})

    async def __aenter__(self) -> "Leader":
        self._serving = await sealed_bus(self._engine, KEYRING).serve(BALANCER, self._answer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.close()

    async def count(self, node: ChannelNode, owners: Owners) -> dict[NodeName, int]:
        """Return what `node` reports that other nodes own of its keys."""
        self._owners, version = owners, version_of(owners)
        async with asyncio.timeout(PATIENCE_S):
            while node.report().counted != version:
                await self._speaker.announce(msgspec.structs.replace(self._report, owners=version))
                await asyncio.sleep(0.1)
        return node.report().misplaced

    async def _answer(self, raw: bytes) -> bytes:
        request = decode_balancer_request(raw)
        assert isinstance(request, OwnersRequest)
        return encode(answer_with(self._owners, request.version, None, ""))


def ring(weights: dict[NodeName, float], before: dict[NodeName, float] | None = None) -> Owners:
    """Whose keys are by a ring."""
    return Owners(table="ring", weights=weights, before=before)


def head(path: str = PATH, method: str = "GET", version: str = "1.1", **headers: str | None) -> bytes:
    """A handshake request; headers are given as `sec_websocket_key="..."`, None leaves one out."""
    fields: dict[str, str | None] = {
        "host": "localhost",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": KEY,
        **headers,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True, size: int = 0
) -> bytes:
    """A client's frame. `size` writes another length than the payload's; `mask=False` breaks RFC 6455, 5.1."""
    length = size or len(payload)
    bit = 0x80 if mask else 0
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if length < 126:
        start = struct.pack(">BB", first, bit | length)
    elif length < 65536:
        start = struct.pack(">BBH", first, bit | 126, length)
    else:
        start = struct.pack(">BBQ", first, bit | 127, length)
    if not mask:
        return start + payload
    key = os.urandom(4)
    return start + key + bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))


class Peer:
    """One side of a TCP connection to a node, with just enough of WebSocket to look inside."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.pushes: list[dict[str, Any]] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._lines: list[dict[str, Any]] = []
        self._id = 0

    @classmethod
    async def tcp(cls, port: int, receive_buffer_bytes: int = 0, source: str = "127.0.0.1") -> "Peer":
        """Open the socket only, from the address `source`."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((source, 0))
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock, limit=2**16))

    @classmethod
    async def open(cls, port: int, path: str = PATH, receive_buffer_bytes: int = 0, **headers: str) -> "Peer":
        """Open a WebSocket."""
        peer = await cls.tcp(port, receive_buffer_bytes)
        status, _, body = await peer.handshake(head(path, **headers))
        assert status == 101, body
        return peer

    async def handshake(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request; return status, headers and body of the answer."""
        self.writer.write(request)
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        lines = raw.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        size = 0 if request.startswith(b"HEAD ") else int(headers.get("content-length", "0"))
        body = await asyncio.wait_for(self.reader.readexactly(size), PATIENCE_S)
        return int(lines[0].split()[1]), headers, body

    def send(self, *commands: dict[str, Any]) -> None:
        """Send commands in one frame."""
        self.raw(frame(TEXT, b"\n".join(json.dumps(command).encode() for command in commands)))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def recv(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; raise `IncompleteReadError` where the stream ends."""
        async with asyncio.timeout(PATIENCE_S):
            first, length = await self.reader.readexactly(2)
            assert first & 0x80, "servers send whole messages"
            assert not first & 0x70, "a reserved bit"
            assert not length & 0x80, "servers do not mask"
            if length == 126:
                (length,) = struct.unpack(">H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(length)

    async def line(self) -> dict[str, Any]:
        """Return the next JSON object; pings are answered and skipped."""
        while not self._lines:
            opcode, payload = await self.recv()
            assert opcode == TEXT, (opcode, payload)
            for part in payload.split(b"\n"):
                if part == b"{}":
                    self.raw(frame(TEXT, b"{}"))
                else:
                    self._lines.append(json.loads(part))
        return self._lines.pop(0)

    async def reply(self, command_id: int) -> dict[str, Any]:
        """Return the reply to a command; pushes that come before are kept in `pushes`."""
        while command_id not in self._replies:
            line = await self.line()
            if "push" in line:
                self.pushes.append(line["push"])
            else:
                self._replies[line["id"]] = line
        return self._replies.pop(command_id)

    async def push(self) -> dict[str, Any]:
        """Return the next push; replies that come before are kept for `reply`."""
        while not self.pushes:
            line = await self.line()
            if "push" in line:
                self.pushes.append(line["push"])
            else:
                self._replies[line["id"]] = line
        return self.pushes.pop(0)

    async def ask(self, **request: dict[str, Any]) -> dict[str, Any]:
        """Send one command, return its reply without the id."""
        self._id += 1
        self.send({"id": self._id, **request})
        reply = await self.reply(self._id)
        del reply["id"]
        return reply

    async def connect(self) -> dict[str, Any]:
        return (await self.ask(connect={}))["connect"]

    async def subscribe(self, channel: str) -> None:
        assert "subscribe" in await self.ask(subscribe={"channel": channel})

    async def publish(self, channel: str, data: object) -> None:
        assert await self.ask(publish={"channel": channel, "data": data}) == {"publish": {}}

    async def closed(self, *, answer: bool = True) -> tuple[int, str]:
        """Return code and reason with which the node closes; 1006 where it does not say."""
        while True:
            try:
                opcode, payload = await self.recv()
            except (asyncio.IncompleteReadError, ConnectionError):
                return 1006, ""
            if opcode == CLOSE:
                if answer:
                    self.raw(frame(CLOSE, payload[:2]))
                return (struct.unpack(">H", payload[:2])[0], payload[2:].decode()) if payload else (1005, "")

    async def ended(self) -> None:
        """Wait until the node has closed the socket."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass

    def abort(self) -> None:
        self.writer.transport.abort()
