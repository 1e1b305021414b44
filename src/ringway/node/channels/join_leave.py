"""Sends joins and leaves through the engine, in order, without keeping those waiting whom they are about.

Overflow rule: at most `QUEUE_MAX` wait, such as while the engine is away; beyond that the oldest is dropped, and
counted. Who needs to know for certain asks for presence.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from ringway.errors import EngineError
from ringway.ports import Broker
from ringway.protocol.codec import encode
from ringway.protocol.command import ClientInfo
from ringway.protocol.envelope import Origin
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.node.stats import Stats

QUEUE_MAX = 10_000

BATCH_MAX = 256
"""Sent together, for one confirmation."""

CLOSE_S = 1.0
"""What is left when the node stops is given this long."""

_log = structlog.get_logger()


class Notices:
    """See the module."""

    def __init__(self, broker: Broker, origin: Origin, stats: "Stats", deadline_s: float) -> None:
        self._broker = broker
        self._origin = origin
        self._stats = stats
        self._deadline_s = deadline_s
        self._queue: deque[tuple[Channel, int, ClientInfo]] = deque()
        self._task: asyncio.Task[None] | None = None

    def tell(self, channel: Channel, kind: int, info: ClientInfo) -> None:
        """Send it soon."""
        if len(self._queue) >= QUEUE_MAX:
            self._queue.popleft()
            self._stats.notices_dropped += 1
        self._queue.append((channel, kind, info))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def close(self) -> None:
        """Send what is left, as far as that is quick."""
        task = self._task
        if task is not None:
            _, pending = await asyncio.wait([task], timeout=CLOSE_S)
            for late in pending:
                late.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _send(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
                try:
                    async with asyncio.timeout(self._deadline_s):
                        await asyncio.gather(*(self._publish(*notice) for notice in batch))
                except (EngineError, TimeoutError) as error:
                    self._stats.notices_dropped += len(batch)
                    _log.warning("joins and leaves were not sent", count=len(batch), error=str(error))
        except Exception:
            _log.exception("joins and leaves were not sent")
        finally:
            self._task = None

    async def _publish(self, channel: Channel, kind: int, info: ClientInfo) -> None:
        # Sealed at the moment of sending: sequence numbers must grow on the wire, among publications too.
        await self._broker.publish(channel, self._origin.seal(kind, encode(info)))
