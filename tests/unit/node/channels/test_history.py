"""Questions about history: a bounded number at one time, each with a deadline."""

import asyncio
from typing import Any

import pytest

from ringway.errors import EngineAway
from ringway.node.channels.history import HistoryReader
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.ports import Page, Position, Retention
from ringway.types import Channel

A, KEPT = Channel("a"), Retention("default", 1, 1.0)


class History:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[Channel] = []

    async def position(self, channel: Channel, retention: Retention) -> Position:
        await self._ask(channel)
        return Position("e", 7)

    async def read(self, channel: Channel, *arguments: Any) -> Page:
        await self._ask(channel)
        return Page("e", 7, [], complete=True)

    async def _ask(self, channel: Channel) -> None:
        self.asked.append(channel)
        await self.gate.wait()


def reader(history: Any, **settings: Any) -> tuple[HistoryReader, NodeStats]:
    stats = NodeStats()
    return HistoryReader(history, NodeConfig(**settings), stats), stats


async def test_no_more_are_asked_at_one_time_and_the_rest_in_their_order() -> None:
    history = History()
    asks, stats = reader(history, history_reads_max=2)
    channels = [Channel(f"c{n}") for n in range(6)]
    waiting = [asyncio.create_task(asks.read(channel, KEPT, 0, 1)) for channel in channels]
    for _ in range(5):
        await asyncio.sleep(0)
    assert history.asked == channels[:2]
    history.gate.set()
    await asyncio.gather(*waiting)
    assert history.asked == channels
    assert stats.history_reads == 6


async def test_an_answer_that_does_not_come_is_an_engine_that_is_away() -> None:
    asks, _ = reader(History(), engine_deadline_s=0.01)
    with pytest.raises(EngineAway, match="where a stands"):
        await asks.position(A, KEPT)
    with pytest.raises(EngineAway, match="the history of a"):
        await asks.read(A, KEPT, 0, 1)
