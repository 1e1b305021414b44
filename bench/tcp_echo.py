"""Echo through a bare TCP socket: the machine's own two hops, as a reference beside delays."""

import asyncio
import sys
import time

_SERVER = (
    "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\n"
    "c, _ = s.accept()\nc.setsockopt(6, 1, 1)\nwhile d := c.recv(4096): c.sendall(d)\n"
)


async def echo(rounds: int) -> list[float]:
    """Return sorted round trips of 128 B, in ms, to another process; one about each millisecond."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(await process.stdout.readline()))
    delays = []
    for _ in range(rounds):
        began = time.perf_counter()
        writer.write(b"x" * 128)
        await reader.readexactly(128)
        delays.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0.001)
    writer.close()
    await process.wait()
    return sorted(delays)
