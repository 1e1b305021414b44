"""Kept connections over HTTP: which are used again, and what is done with answers that are not as they should be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ringway.net.http_get import AnswerCutOff, AnswerNotHttp, AnswerTooLong, HttpAnswerError
from ringway.net.http_pool import AnswerMissing, HttpPool
from ringway.protocol.address import Url

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return head + await reader.readexactly(length)


@asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[tuple[HttpPool, list[int]]]:
    """Run a server that talks so on each connection; yield a pool to it, and the connections' numbers."""
    opened: list[int] = []

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(len(opened))
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = HttpPool(Url("http", "127.0.0.1", port, "/x", ""), None, idle_max=2, idle_s=30.0, bytes_max=1000)
    try:
        yield pool, opened
    finally:
        pool.close()
        server.close()


def answering(*answers: bytes) -> Talk:
    """Answer each request by the next of `answers`; after the last, close."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request(reader)
            writer.write(answer)

    return talk


async def post(pool: HttpPool, *, may_repeat: bool = True) -> bytes:
    async with asyncio.timeout(30):
        return (await pool.post(b"{}", [("A", "b")], may_repeat=may_repeat)).body


async def test_the_request_is_written_as_http_has_it() -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(OK)

    async with served(talk) as (pool, _):
        await post(pool)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /x HTTP/1.1"
    assert lines[1].startswith(b"Host: 127.0.0.1:")
    assert lines[2:] == [b"A: b", b"Content-Length: 2"]
    assert body == b"{}"


async def test_a_connection_is_used_again() -> None:
    async with served(answering(OK, OK, OK)) as (pool, opened):
        assert [await post(pool) for _ in range(3)] == [b"ok"] * 3
        assert (opened, len(pool)) == ([0], 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["close", "1.0", "two answers"],
)
async def test_a_connection_is_not_used_again_after_an_answer_that_does_not_allow_it(answer: bytes) -> None:
    async with served(answering(answer, OK)) as (pool, opened):
        assert [await post(pool) for _ in range(2)] == [b"ok"] * 2
        assert opened == [0, 1]


async def test_bytes_that_nobody_asked_for_end_a_kept_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await reader.read()

    async with served(talk) as (pool, opened):
        assert await post(pool) == b"ok"
        async with asyncio.timeout(30):
            while len(pool):
                await asyncio.sleep(0.01)
        assert await post(pool) == b"ok"
        assert opened == [0, 1]


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with served(answering(b"HTTP/1.1 200 OK\r\n\r\nok")) as (pool, _):
        assert await post(pool) == b"ok"
        assert len(pool) == 0


async def test_chunks_and_interim_answers_are_read() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    chunked = interim + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
    async with served(answering(chunked, OK)) as (pool, opened):
        assert [await post(pool) for _ in range(2)] == [b"ok"] * 2
        assert opened == [0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", AnswerMissing),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", AnswerCutOff),
        (b"HTTP/1.1 200", AnswerCutOff),
        (b"SSH-2.0-x\r\n\r\n", AnswerNotHttp),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", AnswerNotHttp),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, AnswerTooLong),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300, AnswerTooLong),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, AnswerTooLong),
    ],
    ids=["nothing", "cut off", "head cut off", "no http", "upgrade", "too long", "long head", "too long, no length"],
)
async def test_an_answer_that_cannot_be_used_is_an_error(answer: bytes, error: type[HttpAnswerError]) -> None:
    async with served(answering(answer)) as (pool, _):
        with pytest.raises(error):
            await post(pool)
        assert len(pool) == 0


@pytest.mark.parametrize("may_repeat", [True, False])
async def test_a_kept_connection_that_closes_under_a_request_is_repeated_only_if_it_may_be(may_repeat: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)  # and no answer

    async with served(talk) as (pool, opened):
        assert await post(pool) == b"ok"
        if may_repeat:
            assert await post(pool) == b"ok"
        else:
            with pytest.raises(AnswerMissing):
                await post(pool, may_repeat=False)
        assert len(opened) == 1 + may_repeat


async def test_a_request_that_is_given_up_ends_its_connection() -> None:
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()
        ended.set()

    async with served(talk) as (pool, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.post(b"", [], may_repeat=True)
        async with asyncio.timeout(30):
            await ended.wait()
        assert len(pool) == 0


async def test_no_more_connections_are_kept_than_allowed() -> None:
    async with served(answering(OK)) as (pool, _):
        answered = await asyncio.gather(*(post(pool) for _ in range(5)))
        assert answered == [b"ok"] * 5
        assert len(pool) <= 2
