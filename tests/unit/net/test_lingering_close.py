"""Lingering close: the peer gets the last bytes, also while it sends; and no connection lingers for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ringway.net.lingering_close import LingeringCloses

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Accepting(asyncio.Protocol):
    """Hands each new connection, which is not read yet, to the closes under test."""

    def __init__(self, accepted: Callable[[asyncio.Transport], None]) -> None:
        self._accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._accepted(transport)


@asynccontextmanager
async def serve(accepted: Callable[[asyncio.Transport], None]) -> AsyncIterator[Dial]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Accepting(accepted), "127.0.0.1", 0)
    async with server:
        yield lambda: asyncio.open_connection(*server.sockets[0].getsockname())


async def none_left(closes: LingeringCloses) -> None:
    async with asyncio.timeout(30):
        while closes:
            await asyncio.sleep(0.01)


async def write_on_and_on(writer: asyncio.StreamWriter) -> None:
    for _ in range(500):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_what_still_comes_resets_nothing() -> None:
    closes = LingeringCloses(5.0)
    async with serve(lambda transport: closes.close_after(transport, b"last")) as dial:
        reader, writer = await dial()
        writer.write(b"x" * 100_000)
        await writer.drain()
        assert await reader.read() == b"last"
        assert len(closes) == 1
        writer.close()
        await none_left(closes)


async def test_a_peer_that_never_ends_is_cut_off() -> None:
    closes = LingeringCloses(0.05)
    async with serve(lambda transport: closes.close_after(transport, b"last")) as dial:
        _, writer = await dial()
        await none_left(closes)
        writer.close()


async def test_without_the_end_the_peer_closes_first() -> None:
    closes = LingeringCloses(5.0, extends=True)
    async with serve(lambda transport: closes.close_after(transport, b"last", end=False)) as dial:
        reader, writer = await dial()
        assert await reader.readexactly(4) == b"last"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.05)
        writer.write_eof()
        await none_left(closes)
        writer.close()


async def test_the_oldest_is_cut_to_make_room() -> None:
    closes = LingeringCloses(5.0)
    assert not closes.cut_oldest()
    async with serve(lambda transport: closes.close_after(transport, b"last")) as dial:
        first, second = await dial(), await dial()
        assert [await reader.read() for reader, _ in (first, second)] == [b"last"] * 2
        assert closes.cut_oldest()
        assert len(closes) == 1
        with pytest.raises(ConnectionError):
            await write_on_and_on(first[1])
        closes.abort()
        assert not closes
        second[1].close()
