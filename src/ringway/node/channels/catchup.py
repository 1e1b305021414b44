"""Brings streams that are behind up to date: reads history, delivers what it tells, then what was held back.

A stream is behind where a publication came whose predecessor was not delivered, and each time the engine has been away.
At most one task a channel works on that. After an outage all channels are asked for, those with subscribers first, at
most `CHECKS_AT_ONCE` at one time; a channel in which something arrives does not wait for its turn.

Where history cannot prove that nothing is missing, those who followed are told (`lose`), and the stream begins anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import structlog

from ringway.core.stream import ChannelStream, Offered
from ringway.errors import EngineAway, EngineError
from ringway.node.channels.history import HistoryReader
from ringway.ports import Engine, Page, Retention
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.node.config.namespace import Namespaces

CHECKS_AT_ONCE = 16

ROUNDS_MAX = 20
"""Reads in a row after each of which more is missing; then nobody is kept waiting any longer."""

ATTEMPTS_MAX = 30
PAUSE_S = 0.1
PAUSE_MAX_S = 2.0
"""A read that fails although the engine is there (it elects a leader, say) is tried so often: for about a minute, with
pauses that double up to the longest. Nobody would be helped by a 3010 before that: they could not recover either."""

_log = structlog.get_logger()


class CatchUp:
    """See the module. `lose` closes those who followed a channel; `deliver` sends publications to them."""

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        engine: Engine,
        reader: HistoryReader,
        namespaces: "Namespaces",
        limit: int,
        deliver: Callable[[Channel, ChannelStream, list[Offered]], None],
        lose: Callable[[Channel], None],
    ) -> None:
        self._streams = streams
        self._engine = engine
        self._reader = reader
        self._namespaces = namespaces
        self._limit = limit
        self._deliver = deliver
        self._lose = lose
        self._tasks: dict[Channel, asyncio.Task[None]] = {}
        self._doubted: dict[Channel, None] = {}
        self._checking: asyncio.Task[None] | None = None

    def start(self, channel: Channel) -> "asyncio.Task[None] | None":
        """Begin to bring `channel` up to date, unless that is under way; None where it is not behind."""
        task = self._tasks.get(channel)
        if task is not None and not task.done():
            return task
        stream = self._streams.get(channel)
        if stream is None or not stream.is_behind:
            return None
        task = self._tasks[channel] = asyncio.get_running_loop().create_task(self._run(channel, stream))
        task.add_done_callback(partial(self._ended, channel))
        return task

    def begin(self, channel: Channel) -> bool:
        """As `start`; say whether it was not under way."""
        busy = self._tasks.get(channel)
        task = self.start(channel)
        return task is not None and task is not busy

    async def ask(self, channel: Channel) -> None:
        """Return when history was asked what there is after the position of `channel`, or could not be."""
        stream = self._streams.get(channel)
        if stream is not None and stream.epoch:
            stream.doubt()
            task = self.start(channel)
            if task is not None:
                await asyncio.wait([task])

    def check_all(self, first: Callable[[Channel], bool]) -> None:
        """Ask for every channel: publications may have been missed. Those that `first` chooses come first."""
        doubted = [channel for channel, stream in self._streams.items() if stream.kept and stream.epoch]
        for channel in doubted:
            self._streams[channel].doubt()
        self._doubted = dict.fromkeys(sorted(doubted, key=first, reverse=True))
        if self._doubted and self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check())

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._tasks.values(), *([self._checking] if self._checking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, channel: Channel, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(channel) is task:
            del self._tasks[channel]

    async def _check(self) -> None:
        try:
            while self._doubted:
                channels = [channel for channel, _ in zip(list(self._doubted), range(CHECKS_AT_ONCE), strict=False)]
                for channel in channels:
                    del self._doubted[channel]
                tasks = [task for channel in channels if (task := self.start(channel)) is not None]
                if tasks:
                    await asyncio.wait(tasks)
        finally:
            self._checking = None

    async def _run(self, channel: Channel, stream: ChannelStream) -> None:
        retention = self._namespaces.of(channel).retention
        assert retention is not None  # only streams that are kept are ever behind
        rounds = 0
        try:
            while self._streams.get(channel) is stream and stream.is_behind:
                page = await self._read(channel, retention, stream)
                if page is None or self._streams.get(channel) is not stream:
                    return
                rounds += 1
                offered = stream.caught_up(page.epoch, page.offset, page.publications, complete=page.complete)
                if offered is None or rounds > ROUNDS_MAX:
                    _log.warning("publications are missing", channel=channel, since=stream.position)
                    self._lose(channel)
                    offered = stream.begin(page.epoch, max(page.offset, stream.position if offered else 0))
                    rounds = 0
                self._deliver(channel, stream, offered)
        except Exception:
            _log.exception("a channel was not brought up to date", channel=channel)
            self._lose(channel)

    async def _read(self, channel: Channel, retention: Retention, stream: ChannelStream) -> Page | None:
        """What history has since the position; None where it cannot be asked."""
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._reader.read(channel, retention, stream.position, self._limit)
            except EngineError as error:
                if isinstance(error, EngineAway) and not self._engine.up:
                    return None  # all is asked for again when it is back
                if not attempt:
                    _log.warning("history was not told", channel=channel, error=str(error))
            await asyncio.sleep(min(PAUSE_S * 2**attempt, PAUSE_MAX_S))
        self._lose(channel)
        return None
