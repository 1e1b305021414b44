"""The admin port on real sockets: nobody can take it up by saying nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ringway.admin.config import AdminConfig
from ringway.admin.server import AdminServer

PATIENCE_S = 10.0
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GREEDY, OTHER = "127.0.0.2", "127.0.0.3"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer whatever is asked; `/slow` when it is told to."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.Event().wait()
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    body = body or b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def admin_port(**settings: Any) -> AsyncIterator[int]:
    server = AdminServer("127.0.0.1", 0, AdminConfig(**settings))
    running = asyncio.create_task(server.run(application))
    try:
        yield int(server.url.rpartition(":")[2])
    finally:
        await server.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def dial(port: int, data: bytes = b"", source: str = "127.0.0.1") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(data)
    return reader, writer


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the port closes the connection."""
    got = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while piece := await reader.read(65536):
                got += piece
    return got


async def test_half_a_request_is_answered_at_its_deadline_and_closed() -> None:
    async with admin_port(request_deadline_s=0.4) as port:
        for begun in (b"GET /metr", REQUEST[:-2], b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234"):
            reader, writer = await dial(port, begun)
            got = await rest(reader)
            assert got == b"" or got.startswith(b"HTTP/1.1 408 ")
            writer.close()
        reader, writer = await dial(port)
        assert await rest(reader) == b""
        writer.close()


async def test_empty_lines_do_not_hold_a_connection() -> None:
    async with admin_port(request_deadline_s=0.4) as port:
        for first in (b"", REQUEST):
            reader, writer = await dial(port, first)

            async def drip(writer: asyncio.StreamWriter = writer) -> None:
                with suppress(ConnectionError):
                    while True:
                        writer.write(b"\r\n")
                        await writer.drain()
                        await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            got = await rest(reader)
            assert got.startswith(b"HTTP/1.1 200 ") if first else got == b""
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            writer.close()


async def test_silent_connections_make_room_for_those_that_come_new() -> None:
    async with admin_port(connections_max=10, request_deadline_s=60.0) as port:
        silent = [await dial(port, source=GREEDY) for _ in range(40)]
        for _ in range(5):
            reader, writer = await dial(port, REQUEST, OTHER)
            assert (await asyncio.wait_for(reader.readline(), PATIENCE_S)).startswith(b"HTTP/1.1 200 ")
            writer.close()
        assert await rest(silent[0][0]) == b""
        for _, writer in silent:
            writer.close()


async def test_where_all_are_being_answered_the_next_is_told_to_come_again() -> None:
    async with admin_port(connections_max=2, request_deadline_s=60.0) as port:
        slow = [await dial(port, REQUEST.replace(b"healthz", b"slow")) for _ in range(2)]
        for _ in range(100):  # until both were read
            reader, writer = await dial(port)
            got = asyncio.create_task(rest(reader))
            done, _ = await asyncio.wait({got}, timeout=0.1)
            writer.close()
            if done:
                break
        head, _, body = got.result().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"connections_max" in body
        for _, writer in slow:
            writer.close()


WISH = b"Host: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
BODIES = {
    "of a length": b"Content-Length: 9\r\n\r\n[1, 2, 3]",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n4\r\n[1, \r\n5\r\n2, 3]\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("piece", [1 << 16, 7], ids=["whole", "in pieces"])
async def test_a_wish_for_http2_is_ignored_and_costs_nothing_of_what_follows(body: bytes, piece: int) -> None:
    async with admin_port() as port:
        reader, writer = await dial(port)
        asked = b"PUT /a HTTP/1.1\r\n" + WISH + body
        asked += (b"GET /b HTTP/1.1\r\n" + WISH + b"\r\n") * 3
        asked += b"GET /c HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        for start in range(0, len(asked), piece):
            writer.write(asked[start : start + piece])
            await asyncio.sleep(0)
        answers = (await rest(reader)).split(b"HTTP/1.1 200 OK")[1:]
        assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"[1, 2, 3]", *[b"ok"] * 4]
        writer.close()


async def test_a_tunnel_is_refused_and_the_port_goes_on() -> None:
    async with admin_port() as port:
        for request in (
            b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"CONNECT / HTTP/1.1\r\nHost: x\r\n" + WISH[17:],
        ):
            _, writer = await dial(port, request)
            writer.close()
        reader, writer = await dial(port, REQUEST)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
