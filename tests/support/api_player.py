"""An HTTP server whose answers a test plays byte by byte: every request waits for the test to answer it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PATIENCE_S = 15.0


@dataclass
class PlayedRequest:
    """A request that waits for its answer."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    writer: asyncio.StreamWriter

    def answer(self, body: bytes | dict[str, Any], status: int = 200, *headers: str) -> None:
        """Answer with a whole body, and end the connection."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        phrase = HTTPStatus(status).phrase
        head = [f"HTTP/1.1 {status} {phrase}", "Content-Type: application/json", f"Content-Length: {len(content)}"]
        self.writer.write("\r\n".join([*head, *headers, "", ""]).encode() + content)
        self.writer.close()

    def begin(self) -> "PlayedRequest":
        """Send the head of an answer without an end, in chunks."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        return self

    def send(self, data: bytes) -> None:
        """Send a chunk of the answer."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        """End the answer as it should."""
        self.writer.write(b"0\r\n\r\n")
        self.writer.close()

    def cut(self) -> None:
        """End the connection in the middle of the answer."""
        self.writer.transport.abort()


class ApiPlayer:
    """The requests that came to `url`, in their order."""

    def __init__(self) -> None:
        self._requests: asyncio.Queue[PlayedRequest] = asyncio.Queue()
        self.url = ""
        self.port = 0

    async def next_request(self) -> PlayedRequest:
        """Wait for the next request."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._requests.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, and hand it to the test."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        target = urlsplit(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self._requests.put_nowait(PlayedRequest(target.path, dict(parse_qsl(target.query)), headers, writer))


@asynccontextmanager
async def play_api(tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[ApiPlayer]:
    """Serve on loopback until the block ends."""
    player = ApiPlayer()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await player.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    player.port = server.sockets[0].getsockname()[1]
    player.url = f"{'https' if tls else 'http'}://127.0.0.1:{player.port}"
    try:
        yield player
    finally:
        for writer in writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()
