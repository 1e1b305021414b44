"""Catching up of streams that are behind: history is read and delivered, then the held publications.

A stream is behind if a publication came before its predecessor, and each time after the engine has been away.
At most one task a channel works on that. After an outage history is read for all channels, those with subscribers
first, at most `CHECKS_AT_ONCE` at one time; a channel in which a publication arrives does not wait for its turn.

If history cannot prove completeness, the subscribers are closed (`lose`), and the stream begins anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from ringway.core.stream import ChannelStream, Offered
from ringway.errors import EngineAway, EngineError
from ringway.logger import get_logger
from ringway.node.channels.history import HistoryReader
from ringway.node.config.namespace import Namespaces
from ringway.ports import Engine, Page, Retention
from ringway.tasks import Tasks
from ringway.types import Channel

CHECKS_AT_ONCE = 16

ROUNDS_MAX = 20
"""The most reads in a row, each of which leaves the stream behind; then the subscribers are closed."""

ATTEMPTS_MAX = 30
PAUSE_S = 0.1
PAUSE_MAX_S = 2.0
"""Attempts of a read that fails although the engine is up (while it elects a leader, for example): for about a minute,
with pauses that double up to the longest. A 3010 before that would not help clients: they could not recover either."""

_log = get_logger()


class CatchUp:
    """Catches up. `lose` closes the subscribers of a channel; `deliver` sends publications to them."""

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        engine: Engine,
        reader: HistoryReader,
        namespaces: Namespaces,
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
        self._tasks = Tasks()
        self._of: dict[Channel, asyncio.Task[None]] = {}  # the task that brings this channel up to date
        self._doubted: dict[Channel, None] = {}
        self._is_checking = False

    def start(self, channel: Channel) -> "asyncio.Task[None] | None":
        """Begin to bring `channel` up to date, unless that is under way; None if it is not behind."""
        task = self._of.get(channel)
        if task is not None and not task.done():
            return task
        stream = self._streams.get(channel)
        if stream is None or not stream.is_behind:
            return None
        task = self._of[channel] = self._tasks.spawn(self._run(channel, stream), name="catch up with a channel")
        task.add_done_callback(partial(self._on_done, channel))
        return task

    def begin(self, channel: Channel) -> bool:
        """As `start`; return True if the task was not under way."""
        busy = self._of.get(channel)
        task = self.start(channel)
        return task is not None and task is not busy

    async def read_channel(self, channel: Channel) -> None:
        """Read history after the position of `channel`; return when it was read, or could not be read."""
        stream = self._streams.get(channel)
        if stream is not None and stream.epoch:
            stream.doubt()
            task = self.start(channel)
            if task is not None:
                await asyncio.wait([task])

    def check_all(self, first: Callable[[Channel], bool]) -> None:
        """Read history for every channel, since publications may be missing; the channels in `first` come first."""
        doubted = [channel for channel, stream in self._streams.items() if stream.kept and stream.epoch]
        for channel in doubted:
            self._streams[channel].doubt()
        self._doubted = dict.fromkeys(sorted(doubted, key=first, reverse=True))
        if self._doubted and not self._is_checking:
            self._is_checking = True
            self._tasks.spawn(self._check(), name="catch up after an outage")

    async def aclose(self) -> None:
        """Cancel the reads under way."""
        await self._tasks.aclose()

    def _on_done(self, channel: Channel, task: "asyncio.Task[None]") -> None:
        if self._of.get(channel) is task:
            del self._of[channel]

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
            self._is_checking = False

    async def _run(self, channel: Channel, stream: ChannelStream) -> None:
        retention = self._namespaces.of(channel).retention
        assert retention is not None  # only streams with history are ever behind
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
        """Return the publications of history since the position; None if history cannot be read."""
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._reader.read(channel, retention, stream.position, self._limit)
            except EngineError as error:
                if isinstance(error, EngineAway) and not self._engine.up:
                    return None  # all channels are read again when the engine is back
                if not attempt:
                    _log.warning("history was not told", channel=channel, error=str(error))
            await asyncio.sleep(min(PAUSE_S * 2**attempt, PAUSE_MAX_S))
        self._lose(channel)
        return None
