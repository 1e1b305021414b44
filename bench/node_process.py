"""Node processes of benchmarks, and the NATS server that joins them: started, measured, and ended with their block."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ringway.engine.nats.embedded import EmbeddedNats


@asynccontextmanager
async def nats_running() -> AsyncIterator[str]:
    """Start a NATS server; yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedNats(Path(folder))
        await server.start()
        try:
            yield server.url
        finally:
            await server.stop()


@asynccontextmanager
async def node_running(
    is_ready: Callable[[], Awaitable[object]], *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a node; yield its process when `is_ready` raises no `OSError`, and end it without a drain."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringway", "node", "--secret", "s" * 32, *options, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        while True:
            try:
                await is_ready()
            except OSError:
                if process.returncode is not None:
                    raise RuntimeError(f"the node has ended: {options}") from None
                await asyncio.sleep(0.05)
            else:
                break
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def cpu_s(process: asyncio.subprocess.Process) -> float:
    """CPU time of the threads of a process until now."""
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
