"""The admin port on real sockets: silent clients cannot block it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ringway.admin.config import AdminConfig
from ringway.admin.server import AdminServer

PATIENCE_S = 30.0
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


ENDS = b"Connection: close\r\n"


async def say(port: int, asked: bytes) -> bytes:
    """Return all that the port answers until it closes the connection."""
    reader, writer = await dial(port, asked)
    got = await rest(reader)
    writer.close()
    return got


async def test_requests_in_one_piece_are_answered_in_their_order() -> None:
    bodies = [b"%d" % number * 3 for number in range(200)]
    asked = b"".join(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
    async with admin_port() as port:
        got = await say(port, asked + REQUEST.replace(b"\r\n\r\n", b"\r\n" + ENDS + b"\r\n"))
    answers = got.split(b"HTTP/1.1 200 OK")[1:]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [*bodies, b"ok"]
    assert [b"connection: close" in answer for answer in answers] == [False] * 200 + [True]


async def test_head_is_answered_as_get_without_the_body() -> None:
    async with admin_port() as port:
        got = await say(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n" + ENDS + b"\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert b"content-length: 2\r\n" in got
    assert got.endswith(b"\r\n\r\n")


async def test_a_client_of_http_1_0_is_answered_once() -> None:
    async with admin_port() as port:
        got = await say(port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in got


async def test_who_asks_before_it_sends_a_body_is_told_to_go_on() -> None:
    async with admin_port() as port:
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n" + ENDS
        reader, writer = await dial(port, head + b"\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await rest(reader)).endswith(b"\r\n\r\nbody")
        writer.close()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"\x16\x03\x01 what is this\r\n\r\n", 400),
        (b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 400_000, 431),
    ],
    ids=["no HTTP", "no path", "long head"],
)
async def test_what_is_no_request_is_refused_after_the_answers_before_it(asked: bytes, status: int) -> None:
    async with admin_port() as port:
        answers = (await say(port, REQUEST + asked)).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200, status]


async def test_who_reads_no_answers_is_given_up() -> None:
    async with admin_port(request_deadline_s=0.4) as port:
        body = b"x" * 4_000_000
        asked = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        reader, writer = await dial(port)
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while True:  # until the port ends the connection
                    writer.write(asked)
                    await writer.drain()
        assert reader.at_eof() or writer.transport.is_closing() or reader.exception()
        writer.close()


async def test_an_answer_under_way_is_given_when_the_port_closes() -> None:
    asking, answered = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asking.set()
        await answered.wait()
        await application({**scope, "path": "/"}, receive, send)

    server = AdminServer("127.0.0.1", 0, AdminConfig())
    running = asyncio.create_task(server.run(app))
    port = int(server.url.rpartition(":")[2])
    idle, idle_writer = await dial(port)
    reader, writer = await dial(port, REQUEST)
    await asking.wait()
    closing = asyncio.create_task(server.close())
    assert await rest(idle) == b""
    answered.set()
    got = await rest(reader)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"ok")
    await closing
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for each in (writer, idle_writer):
        each.close()
