"""Client of a node that can misuse it: frames are made by hand, and reading can be left out."""

import asyncio
import json
import socket
import struct
from collections import Counter
from typing import Any

PATH = "/connection/websocket"
TEXT, CONTINUATION, CLOSE, PING = 0x1, 0x0, 0x8, 0x9


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a client's frame, masked with zeros."""
    first = (0x80 if fin else 0) | opcode
    if len(payload) < 126:
        return struct.pack(">BBI", first, 0x80 | len(payload), 0) + payload
    if len(payload) < 65536:
        return struct.pack(">BBHI", first, 0x80 | 126, len(payload), 0) + payload
    return struct.pack(">BBQI", first, 0x80 | 127, len(payload), 0) + payload


def commands(*requests: dict[str, Any], first_id: int = 1) -> bytes:
    """Return one frame that holds `requests`, numbered from `first_id`."""
    lines = [json.dumps({"id": first_id + n, **request}, separators=(",", ":")) for n, request in enumerate(requests)]
    return frame(TEXT, "\n".join(lines).encode())


class Ended(Exception):
    """The node has closed the connection, with a code (1006: without a close frame)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Peer:
    """One connection. Its answers are counted in `seen`: replies, errors by code, bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.seen: Counter[str] = Counter()

    @classmethod
    async def open(cls, port: int, *, connect: bool = True, receive_buffer_bytes: int = 0) -> "Peer":
        """Open a WebSocket, and send the connect command. Raise `OSError` if the node refuses."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
        writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionError("refused without a word") from None
        if b" 101 " not in head:
            writer.close()
            raise ConnectionError(head.split(b"\r\n")[0].decode())
        peer = cls(reader, writer)
        if connect:
            await peer.ask({"connect": {}})
        return peer

    async def send(self, data: bytes) -> None:
        """Send bytes, no faster than the node reads them."""
        self.writer.write(data)
        await self.writer.drain()

    async def recv(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; raise `Ended`."""
        try:
            first, length = await self._reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            payload = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            raise Ended(1006) from None
        if first & 0x0F == CLOSE:
            raise Ended(struct.unpack(">H", payload[:2])[0] if payload else 1005)
        self.seen["bytes"] += len(payload)
        return first & 0x0F, payload

    async def lines(self) -> list[bytes]:
        """Return the lines of the next frame; pings of the server are answered."""
        opcode, payload = await self.recv()
        if payload == b"{}":
            self.writer.write(frame(TEXT, b"{}"))
        return payload.split(b"\n") if opcode == TEXT else []

    async def read(self) -> None:
        """Read and count until the node ends the connection; raise `Ended`."""
        while True:
            for line in await self.lines():
                if line.startswith(b'{"id"'):
                    self.seen["replies"] += 1
                    if b'"error":{"code":' in line[:40]:
                        code = line.partition(b'"code":')[2][:3].decode()
                        self.seen[f"error {code}"] += 1

    async def ask(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Send one frame, and return as many replies."""
        await self.send(commands(*requests))
        replies: list[dict[str, Any]] = []
        while len(replies) < len(requests):
            replies += [json.loads(line) for line in await self.lines() if line.startswith(b'{"id"')]
        return replies

    def close(self) -> None:
        """Cut it."""
        self.writer.transport.abort()
