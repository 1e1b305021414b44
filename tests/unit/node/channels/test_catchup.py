"""Catching up by itself: a stream, and a history that says what the test wants."""

import asyncio
from typing import Any, cast

from ringway.core.stream import ChannelStream, Offered
from ringway.node.channels.catchup import CatchUp
from ringway.node.channels.history import HistoryReader
from ringway.node.config.namespace import Namespaces
from ringway.ports import Engine, Page
from ringway.types import Channel

A = Channel("a")


class Reader:
    async def read(self, channel: Channel, retention: object, since: int, limit: int) -> Page:
        return Page("e", since, [], complete=True)


async def test_a_gap_that_comes_when_the_last_one_has_just_been_filled_is_not_forgotten() -> None:
    stream = ChannelStream(kept=True)
    stream.begin("e", 1)
    streams = {A: stream}
    again: list[asyncio.Task[None] | None] = []

    def gap() -> None:
        stream.doubt()
        again.append(catch_up.start(A))

    def deliver(channel: Channel, stream: ChannelStream, offered: list[Offered]) -> None:
        if not again:  # runs when the task is over, and before anybody is told so
            asyncio.get_running_loop().call_soon(gap)

    reader: Any = Reader()
    catch_up = CatchUp(
        streams,
        cast(Engine, None),
        cast(HistoryReader, reader),
        Namespaces(("default:history_size=1",)),
        100,
        deliver,
        lambda channel: None,
    )
    stream.doubt()
    first = catch_up.start(A)
    assert catch_up.start(A) is first
    assert first is not None
    await first
    await asyncio.sleep(0)
    [second] = again
    assert second is not None
    assert second is not first
    await second
    assert not stream.is_behind
    assert catch_up.start(A) is None
