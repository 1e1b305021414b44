"""Attacking address for `fairness`: silent sockets, or requests without end.

    python fairness_attacker.py silent SOURCE PORT COUNT     that many sockets; a closed socket is opened again
    python fairness_attacker.py ask SOURCE PORT RATE         that many `GET /gateway` a second, over one connection

Prints `begun` when it has opened that many, also if some were closed, and goes on until its input ends.
"""

import asyncio
import sys
from contextlib import suppress

REOPENED_PER_S = 200.0
"""The sockets that are opened again each second: enough to load the members, and few enough for the machine."""

TICK_S = 0.02


class Silent(asyncio.Protocol):
    """A silent socket."""

    def __init__(self, all_: "set[Silent]") -> None:
        self._all = all_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)


async def be_silent(source: str, port: int, count: int) -> None:
    """Hold `count` sockets."""
    loop = asyncio.get_running_loop()
    held: set[Silent] = set()
    opened = 0
    while True:
        per_tick = 100 if opened < count else round(REOPENED_PER_S * TICK_S)
        for _ in range(min(count - len(held), per_tick)):
            with suppress(OSError):
                await loop.create_connection(lambda: Silent(held), "127.0.0.1", port, local_addr=(source, 0))
            opened += 1
            if opened == count:
                print("begun", flush=True)
        await asyncio.sleep(TICK_S)


async def ask_on(source: str, port: int, rate: float) -> None:
    """Ask `rate` times a second, for any answers."""
    request = b"GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    print("begun", flush=True)
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            reading = asyncio.create_task(drop(reader))
            try:
                due = asyncio.get_running_loop().time()
                while not reading.done():
                    writer.write(request * round(rate * TICK_S))
                    due += TICK_S
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            finally:
                reading.cancel()
                writer.close()


async def drop(reader: asyncio.StreamReader) -> None:
    """Read and discard, to the end."""
    with suppress(OSError):
        while await reader.read(1 << 16):
            pass


async def main(how: str, source: str, port: int, much: float) -> None:
    """Attack until the input ends."""
    work = be_silent(source, port, int(much)) if how == "silent" else ask_on(source, port, much)
    task = asyncio.create_task(work)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
