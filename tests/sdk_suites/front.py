"""A front at the one port that a suite knows: paths below /api go to the nodes' server APIs, all else to Ringway.

Centrifugo serves its API and its clients at one port; Ringway has a port for each. Bytes are passed on as they are, but
for a header `Connection: close` in each request that opens no WebSocket, so that a connection has one destination.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence

HOST = "127.0.0.1"
HEAD_BYTES_MAX = 64 * 1024


@contextlib.contextmanager
def front(port: int, clients: int, apis: Sequence[int]) -> Iterator[None]:
    """Listen on `port` until the block ends; pass on to the port `clients`, or to the first of `apis` that accepts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1]
                far = await _open(apis if target.startswith(b"/api/") else (clients,))
                far[1].write(_closing(head))
                await asyncio.gather(_pipe(reader, far[1]), _pipe(far[0], writer))
            finally:
                writer.close()

    listening = asyncio.start_server(carry, HOST, port, limit=HEAD_BYTES_MAX)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    """Accept no further connections, and cut those that are open."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _closing(head: bytes) -> bytes:
    """Return the head of a request, which asks for no further request on its connection unless it is a WebSocket."""
    lines = head.split(b"\r\n")
    if any(line.lower().startswith(b"upgrade:") for line in lines):
        return head
    lines = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]])


async def _open(ports: Sequence[int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for port in ports:
        with contextlib.suppress(OSError):
            return await asyncio.open_connection(HOST, port)
    raise ConnectionRefusedError(f"nobody listens on any of {ports}")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
