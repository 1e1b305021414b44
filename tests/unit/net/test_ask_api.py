"""Requests to the APIs of Ringway: what is sent, and what is said of an answer that does not come."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from ringway.net.http_get import AnswerTooLong, ask_api, why_unanswered
from ringway.protocol.address import read_url

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def ask(handle: Handle, *, timeout_s: float = 30.0, bytes_max: int = 1000) -> bytes:
    """Return status and body by a server that runs `handle` for one connection."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await handle(reader, writer)
        finally:
            writer.transport.abort()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = read_url(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {"http": 80}, "write http://host:port")
    try:
        answer = await ask_api(
            "PUT", base, "/v1/a", b"{}", headers=[("Authorization", "Bearer x")], timeout_s=timeout_s,
            bytes_max=bytes_max,
        )  # fmt: skip
        return b"%d " % answer.status + answer.body
    finally:
        await ended.wait()
        server.close()


async def test_a_request_has_the_body_and_the_headers_and_any_status_is_an_answer() -> None:
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
        writer.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nheld")
        await writer.drain()

    assert await ask(handle) == b"409 held"
    [head] = heads
    assert head.startswith(b"PUT /v1/a HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Content-Type: application/json\r\n" in head
    assert b"Authorization: Bearer x\r\n" in head
    assert head.endswith(b"\r\n\r\n{}")


async def test_an_answer_that_is_too_long_or_does_not_come_is_refused() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
        await writer.drain()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass

    with pytest.raises(AnswerTooLong):
        await ask(flood)
    with pytest.raises(TimeoutError) as late:
        await ask(silent, timeout_s=0.05)
    assert why_unanswered(late.value, 0.05) == "no answer within 0.05 s"


def test_errors_are_told_in_words() -> None:
    assert why_unanswered(ConnectionRefusedError(111, "Connection refused"), 3.0) == "Connection refused"
    assert why_unanswered(OSError(), 3.0) == "OSError"
    assert why_unanswered(AnswerTooLong(9), 3.0) == "the answer has more than 9 bytes"
