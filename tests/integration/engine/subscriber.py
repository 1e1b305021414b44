"""Subscriber that follows channels like a node: `core.stream` judges, and the node's `catchup` reads history."""

import time
from types import SimpleNamespace

from integration.engine.record import Record, Seen
from ringway.core.stream import ChannelStream, Offered, StreamVerdict
from ringway.node.channels.catchup import CatchUp
from ringway.node.channels.history import HistoryReader
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.ports import Engine, Retention
from ringway.types import Channel


class Subscriber:
    """Writes down what is delivered of each channel, and each time when something may be missing."""

    def __init__(self, engine: Engine, retention: Retention, record: Record) -> None:
        self.streams: dict[Channel, ChannelStream] = {}
        self.is_deaf = False
        """While it is, what arrives is lost, and it does not know."""
        self._engine = engine
        self._retention = retention
        self._record = record
        self._config = NodeConfig()
        self._reader = HistoryReader(engine.history, self._config, NodeStats())
        self._catch_up = CatchUp(
            self.streams,
            engine,
            self._reader,
            SimpleNamespace(of=lambda channel: SimpleNamespace(retention=retention)),  # type: ignore[arg-type]
            self._config.recovery_publications_max,
            self._deliver,
            self._told,
        )
        engine.broker.attach(self._take)
        engine.on_return.append(lambda: self._catch_up.check_all(first=lambda channel: True))

    async def subscribe(self, channel: Channel) -> None:
        """Follow `channel` from now on."""
        stream = self.streams[channel] = ChannelStream(kept=True)
        await self._engine.broker.subscribe(channel)
        epoch, offset = await self._reader.position(channel, self._retention)
        self._record.seen.append(Seen(time.monotonic(), channel, epoch, offset))
        self._deliver(channel, stream, stream.begin(epoch, offset))
        self._catch_up.start(channel)

    async def close(self) -> None:
        """End what is under way."""
        await self._catch_up.aclose()

    def _take(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        stream = self.streams.get(channel)
        if stream is None or self.is_deaf:
            return
        if not offset:
            self._record.problems.append(f"{channel} delivered {payload!r} without an offset")
            return
        verdict = stream.take_publication(offset, previous, payload, self._config.tail_bytes_max)
        if verdict is StreamVerdict.DELIVER:
            self._deliver(channel, stream, [(offset, payload)])
        elif verdict is StreamVerdict.HELD:
            self._catch_up.begin(channel)

    def _deliver(self, channel: Channel, stream: ChannelStream, offered: list[Offered]) -> None:
        now = time.monotonic()
        seen = self._record.seen
        seen.extend(Seen(now, channel, stream.epoch, offset, payload.decode()) for offset, payload in offered)

    def _told(self, channel: Channel) -> None:
        """A node closes its subscribers here; they come back, and begin anew where the channel stands by then."""
        stream = self.streams[channel]
        self._record.seen.append(Seen(time.monotonic(), channel, stream.epoch, stream.position))
