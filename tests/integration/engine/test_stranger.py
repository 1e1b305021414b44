"""Servers that are not the engine, or are silent: each attempt ends in time, and says what the server may be."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ringway.engine.nats.opening import open_nats
from ringway.engine.redis.engine import open_redis
from ringway.errors import EngineError
from ringway.testing.contract.world import until
from support.nats_server import NatsServer
from support.redis_server import RedisServer

PATIENCE_S = 30.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

URLS = [
    "nats://u:secret@127.0.0.1:{}",
    "tls://u:secret@127.0.0.1:{}",
    "tls://127.0.0.1:{}?tls_first=true",
    "redis://u:secret@127.0.0.1:{}",
    "rediss://u:secret@127.0.0.1:{}",
    "redis+sentinel://127.0.0.1:{}/name?sentinel_password=secret",
    "redis+cluster://u:secret@127.0.0.1:{}",
]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass
    writer.close()


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(1 << 20))
    await silent(reader, writer)


async def reach(url: str) -> str:
    """Return the error of the attempt to open the engine."""
    with pytest.raises(EngineError) as caught:
        await (open_redis if url.startswith("redis") else open_nats)(url, name="a", wait_s=0)
    return str(caught.value)


@pytest.mark.parametrize("serve", [silent, gone, web, endless], ids=["silent", "gone", "web", "endless"])
async def test_what_is_no_engine_is_said_in_time(serve: Serve) -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as stranger, asyncio.timeout(PATIENCE_S):
        port = stranger.sockets[0].getsockname()[1]
        said = await asyncio.gather(*(reach(url.format(port)) for url in URLS))
    for words in said:
        assert str(port) in words
        assert "secret" not in words


@pytest.mark.parametrize("kind", ["nats", "redis"])
async def test_strangers_at_the_place_of_an_engine_are_outlasted(kind: str, tmp_path: Path) -> None:
    """A later attempt finds the engine, whatever server answers there while it is away."""
    server = NatsServer(tmp_path, "n") if kind == "nats" else RedisServer(tmp_path)
    server.start()
    url = f"{kind}://127.0.0.1:{server.port}"
    try:
        engine = await (open_redis if kind == "redis" else open_nats)(url, name="a")
        server.kill()
        await until(lambda: not engine.up)
        for serve in (endless, web, gone):
            came = asyncio.Event()

            async def meet(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                serve: Serve = serve,
                came: asyncio.Event = came,
            ) -> None:
                came.set()
                await serve(reader, writer)

            async with await asyncio.start_server(meet, "127.0.0.1", server.port), asyncio.timeout(PATIENCE_S):
                await came.wait()
        server.start()
        await until(lambda: engine.up)
        assert engine.problem == ""
        await engine.close()
    finally:
        server.kill()
