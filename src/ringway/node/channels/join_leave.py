"""Joins and leaves, sent through the engine in order. The clients that join or leave do not wait for it.

Overflow rule: at most `QUEUE_MAX` wait, for example while the engine is away; beyond that the oldest is dropped and
counted. A client that needs certainty queries presence.
"""

import asyncio
from collections import deque

from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.node.stats import NodeStats
from ringway.ports import Broker
from ringway.protocol.codec import encode
from ringway.protocol.command import ClientInfo
from ringway.protocol.envelope import Origin
from ringway.tasks import Tasks
from ringway.types import Channel

QUEUE_MAX = 10_000

BATCH_MAX = 256
"""The most messages that are sent together, for one confirmation."""

CLOSE_S = 1.0
"""The time for which the node waits at its stop for queued messages."""

_log = get_logger()


class JoinLeavePublisher:
    """Publishes the joins and leaves of a node."""

    def __init__(self, broker: Broker, origin: Origin, stats: NodeStats, deadline_s: float) -> None:
        self._broker = broker
        self._origin = origin
        self._stats = stats
        self._deadline_s = deadline_s
        self._queue: deque[tuple[Channel, int, ClientInfo]] = deque()
        self.is_sending = False  # True while a task sends the queue
        self._tasks = Tasks()

    def publish(self, channel: Channel, kind: int, info: ClientInfo) -> None:
        """Send a join or leave soon."""
        if len(self._queue) >= QUEUE_MAX:
            self._queue.popleft()
            self._stats.notices_dropped += 1
        self._queue.append((channel, kind, info))
        if not self.is_sending:
            self.is_sending = True
            self._tasks.spawn(self._send(), name="joins and leaves")

    async def aclose(self) -> None:
        """Send the queued messages, for at most `CLOSE_S`."""
        await self._tasks.aclose(CLOSE_S)

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
            self.is_sending = False

    async def _publish(self, channel: Channel, kind: int, info: ClientInfo) -> None:
        # Sealed at the moment of sending: sequence numbers must grow on the wire, among publications too.
        await self._broker.publish(channel, self._origin.seal(kind, channel, encode(info)))
