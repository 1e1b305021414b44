"""Kit of the tests of plain HTTP: a backend that answers by hand, and raw requests."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway_kit import PATIENCE_S, Raw, eventually

ROUTE = "path=/ http=true"

Answer = Callable[["Asked"], Awaitable[None]]


class Asked:
    """One request that reached a backend."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head.decode("latin-1")
        self.method, self.target, _ = self.head.split("\r\n", 1)[0].split(" ")
        lines = [line.split(": ", 1) for line in self.head.split("\r\n")[1:] if line]
        self.headers = {name.lower(): value for name, value in lines}
        self.reader = reader
        self.writer = writer
        self.body = b""

    async def read_body(self) -> bytes:
        """Read the whole body."""
        if "content-length" in self.headers:
            self.body = await self.reader.readexactly(int(self.headers["content-length"]))
        elif "transfer-encoding" in self.headers:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                self.body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
        return self.body

    async def answer(self, body: bytes = b"", status: str = "200 OK", *lines: str) -> None:
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines])
        self.writer.write(head.encode("latin-1") + b"\r\n\r\n" + body)
        await self.writer.drain()


class Server:
    """A backend that answers by `serve`, and notes what reached it, by connection."""

    def __init__(self, serve: Answer | None = None) -> None:
        self.serve = serve or self.echo
        self.asked: list[Asked] = []
        self.connections = 0
        self.bytes = b""

    async def echo(self, asked: Asked) -> None:
        body = await asked.read_body()
        await asked.answer(b"" if asked.method == "HEAD" else asked.target.encode() + b" " + body)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            asked = Asked(head[:-4], reader, writer)
            self.asked.append(asked)
            await self.serve(asked)


def request(target: str = "/a", method: str = "GET", body: bytes = b"", *lines: str) -> bytes:
    lines = (f"Content-Length: {len(body)}", *lines) if body else lines
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x.test", *lines]).encode("latin-1") + b"\r\n\r\n" + body


async def answer_of(client: Raw) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with its body."""
    status, headers = await client.head()
    body = b""
    async with asyncio.timeout(PATIENCE_S):
        if "content-length" in headers:
            body = await client.reader.readexactly(int(headers["content-length"]))
        elif "transfer-encoding" in headers:
            while size := int(await client.reader.readuntil(b"\r\n"), 16):
                body += await client.reader.readexactly(size)
                assert await client.reader.readexactly(2) == b"\r\n"
            assert await client.reader.readexactly(2) == b"\r\n"
    return status, headers, body


async def idle(rig) -> None:
    """Wait until no request is under way, and nothing counts at a backend any more."""
    await eventually(lambda: rig.stats.exchanges_open == 0)
    assert all(node.requests == 0 for node in rig.directory.groups.nodes.values())
