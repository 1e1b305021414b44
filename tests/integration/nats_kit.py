"""What the tests of a NATS server that fails share."""

import asyncio
import os
import signal
from collections.abc import Callable

from ringway.engine.nats.embedded import EmbeddedNats

PATIENCE_S = 30


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def end(server: EmbeddedNats, how: signal.Signals) -> None:
    """Send the server a signal."""
    assert server.pid is not None
    os.kill(server.pid, how)
