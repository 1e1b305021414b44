"""Megabytes, then a close, while the other side sends pings: with a gateway between them nothing is lost (P-2.8)."""

import asyncio
import contextlib

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

PIECE = b"x" * 65536
PIECES = 64
COUNT = 6


async def send_and_close(connection):
    for _ in range(PIECES):
        await connection.send(PIECE)
    await connection.close(1000, "done")


async def receive_all(connection, every_s):
    """Return how many bytes came, and how it ended; meanwhile send pings."""
    size = 0
    pinging = asyncio.create_task(ping_on(connection, every_s))
    try:
        while True:
            size += len(await connection.recv())
    except ConnectionClosed:
        return size, connection.close_code
    finally:
        pinging.cancel()


async def ping_on(connection, every_s):
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.ping()
            await asyncio.sleep(every_s)


@pytest.mark.parametrize("every_s", [0.0, 0.002, 0.1], ids=["ever", "500 a second", "10 a second"])
@pytest.mark.parametrize("direction", ["upload", "download"])
async def test_nothing_is_lost_before_a_close(start_rig, direction, every_s):
    results = asyncio.Queue()

    async def handle(connection):
        if direction == "upload":
            results.put_nowait(await receive_all(connection, every_s))
        else:
            await send_and_close(connection)

    async def take_part(url):
        async with connect(url, compression=None, ping_interval=None) as connection:
            if direction == "upload":
                await send_and_close(connection)
                assert connection.close_code == 1000
            else:
                results.put_nowait(await receive_all(connection, every_s))

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        rig = await start_rig(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.gather(*(take_part(rig.url()) for _ in range(COUNT)))
        for _ in range(COUNT):
            assert await asyncio.wait_for(results.get(), 10) == (PIECES * len(PIECE), 1000)
        await rig.idle()
        assert not rig.stats.cut
