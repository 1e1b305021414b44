"""History reads of a node at the engine: a bounded number at one time, each with a deadline.

A crowd that comes back, or an engine that returns, makes a node read many channels at once. Requests wait here for
their turn, in the order of their arrival; the engine never has more than `history_reads_max` of this node at once.
"""

import asyncio
import sys

from ringway.errors import EngineAway
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.ports import HistoryStore, Page, Position, Retention
from ringway.types import Channel


class HistoryReader:
    """Reads history for all parts of a node."""

    def __init__(self, history: HistoryStore, config: NodeConfig, stats: NodeStats) -> None:
        self._history = history
        self._deadline_s = config.engine_deadline_s
        self._stats = stats
        self._turn = asyncio.Semaphore(config.history_reads_max)
        self.answering = asyncio.Semaphore(config.history_answers_max)
        """Held while an answer to a client is made from a read, so that the answers in memory are bounded."""

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """As `ports.HistoryStore.position`. Raise `EngineError`; `EngineAway` also if no answer came in time."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await self._history.position(channel, retention)
            except TimeoutError:
                raise EngineAway(
                    f"the engine did not say within {self._deadline_s:g} s where {channel} stands"
                ) from None

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        *,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """As `ports.HistoryStore.read`. Raise `EngineError`; `EngineAway` also if no answer came in time."""
        async with self._turn:
            self._stats.history_reads += 1
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await self._history.read(channel, retention, since, limit, reverse, bytes_max)
            except TimeoutError:
                raise EngineAway(
                    f"the engine did not tell the history of {channel} within {self._deadline_s:g} s"
                ) from None
