"""`ringway join` as a process, beside uvicorn with a FastAPI application."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from support import system

TESTS = Path(__file__).parents[2]
UVICORN = (
    sys.executable, "-m", "uvicorn", "integration.sidecar.echo:app", "--port", "{port}", "--log-level", "warning",
    "--app-dir", str(TESTS),
)  # fmt: skip

PATIENCE_S = 60.0


def free_port(count: int = 1) -> int:
    """Return the first of `count` ports in a row that are free now, and that no outgoing connection is given."""
    while True:
        port = system.free_port()
        if all(is_free(port + more) for more in range(1, count)):
            return port


def is_free(port: int) -> bool:
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one.connect_ex(("127.0.0.1", port)) != 0


class Joined:
    """A sidecar that runs, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""

    async def read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log += line.decode()

    async def until(self, true: Callable[[], object]) -> None:
        """Return when `true` is; show the log if that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not true():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it did not come true; the log:\n{self.log}") from None

    async def ended(self) -> int:
        """Return the exit code when the sidecar has ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def join(*arguments: str, **environ: str) -> AsyncIterator[Joined]:
    """Run `ringway join` with `arguments`; kill it at the end if it still runs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringway", "join", *arguments,
        env={**clean, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{TESTS}", **environ},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    joined = Joined(process)
    reading = asyncio.create_task(joined.read())
    try:
        yield joined
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
