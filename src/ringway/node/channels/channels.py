"""Channels of a node: the owner of their subscribers, of the streams from the engine, and of the replay buffers.

hub, watchers   subscribers of each channel, and subscribers that receive its joins and leaves
streams         each channel that this node follows at the engine, with the buffers for replay (`streams`)
fan-out         from the engine to the subscribers (`fanout`)
presence        the subscribed clients of all nodes; joins and leaves (`presence`)
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from ringway.core.hub import Hub
from ringway.core.stream import Cut
from ringway.errors import EngineError
from ringway.node.channels.join_leave import JoinLeavePublisher
from ringway.node.channels.presence import Presence
from ringway.node.channels.streams import Streams
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.node.stats import NodeStats
from ringway.ports import Deliver, Engine, HistoryEntry, Position, Retention
from ringway.protocol.envelope import PUBLICATION, Origin
from ringway.types import Channel


class Channels:
    """The channels of one node. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        engine: Engine,
        config: NodeConfig,
        outbox: Outbox,
        stats: NodeStats,
        origin: Origin,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._watchers: Hub[Subscriber, Send] = Hub()
        self.hub: Hub[Subscriber, Send] = Hub()
        self.namespaces = Namespaces(config.namespaces, is_open=config.insecure)
        self.streams = Streams(engine, self.namespaces, self.hub, self._watchers, outbox, config, stats, clock)
        publisher = JoinLeavePublisher(engine.broker, origin, stats, config.engine_deadline_s)
        self.presence = Presence(engine, self.namespaces, self.hub, publisher, origin, config, stats)
        self.streams.fanout.on_note = self.presence.on_note
        self.deliver: Deliver = self.streams.fanout.deliver
        """Receives one message from the engine (`ports.Deliver`)."""

    async def start(self) -> None:
        """Begin to follow channels. Raise `EngineError` if the engine provides no history for this node."""
        for retention in self.namespaces.retentions():
            await self._engine.history.keep(retention)
        self._engine.broker.attach(self.deliver)
        self._engine.on_return.append(self.streams.on_return)
        await self.presence.start()

    async def stop(self) -> None:
        """Send the queued leaves, and stop following channels. Idempotent."""
        await self.presence.stop()
        with suppress(ValueError):  # stopped before it had started, or again
            self._engine.on_return.remove(self.streams.on_return)
        await self.streams.aclose()

    def join(self, subscriber: Subscriber, channel: Channel, *, watching: bool = False, silently: bool = False) -> None:
        """Deliver to `subscriber` from now on; with joins and leaves if `watching`.

        The channel is claimed at the engine (`Streams.obtain`). `silently`: no join is published, since the session
        comes from a different node.
        """
        self.streams.flush(channel)
        self.hub.add(channel, subscriber, subscriber.send)
        if watching:
            self._watchers.add(channel, subscriber, subscriber.send)
        if not silently:
            self.presence.publish_join(channel, subscriber.info_in(channel))

    def leave(self, subscriber: Subscriber, channel: Channel, *, silently: bool = False) -> None:
        """Stop the delivery of `channel`, which the subscriber has joined. `silently`: no leave is published."""
        self._watchers.remove(channel, subscriber)
        if self.hub.remove(channel, subscriber):
            self.streams.release(channel)
        if not silently:
            self.presence.publish_leave(channel, subscriber.info_in(channel))

    def redirect(self, subscriber: Subscriber, channels: Iterable[Channel]) -> None:
        """Deliver by the subscriber's present `send` in the `channels` that it has joined."""
        send = subscriber.send
        for channel in channels:
            self.hub.add(channel, subscriber, send)
            if self._watchers.has(channel, subscriber):
                self._watchers.add(channel, subscriber, send)

    def is_watching(self, subscriber: Subscriber, channel: Channel) -> bool:
        """True if the subscriber receives the joins and leaves of `channel`."""
        return self._watchers.has(channel, subscriber)

    def snapshot(self, channel: Channel) -> Cut:
        """Return the position of the deliveries; messages that were gathered in this turn of the loop are sent first.

        Raise `KeyError` if the channel is not followed.
        """
        return self.streams.snapshot(channel)

    async def publish(self, channel: Channel, body: bytes, key: str = "", *, is_kept: bool = True) -> Position | None:
        """Publish through the channel's history; directly to the subscribers if the channel has none, or not `is_kept`.

        Return the position in history; None if it is not stored. `key` makes a publication with history idempotent. The
        first await is that of the engine, so publications leave in the order of the calls. Raise `EngineError` as
        `ports.Broker.publish` and `ports.HistoryStore.append` do.
        """
        retention = self.namespaces.of(channel).retention
        payload = self._origin.seal(PUBLICATION, channel, body)
        if retention is not None and is_kept:
            return await self._engine.history.append(channel, payload, retention, key)
        await self._engine.broker.publish(channel, payload)
        return None

    async def remove_history(self, channel: Channel, retention: Retention) -> None:
        """Remove what the history of `channel` keeps now. Raise `EngineError` as `ports.HistoryStore.remove` does."""
        await self._engine.history.remove(channel, retention)

    async def publish_many(
        self, publications: Sequence[HistoryEntry], retention: Retention | None, deadline_s: float
    ) -> Sequence[Position | EngineError | None]:
        """Publish bodies together, each in its channel, in their order; through history if there is a `retention`.

        Return the outcome of each in `deadline_s` at the latest: its position, None if it is not stored, or its error.
        One failure prevents no other. They leave before the first await, as those of `publish`.
        """
        engine = self._engine
        payloads = self._origin.seal_many(PUBLICATION, [(channel, body) for channel, body, _ in publications])
        sealed = zip(publications, payloads, strict=True)
        if retention is None:
            plain = [(channel, payload) for (channel, _, _), payload in sealed]
            return await engine.broker.publish_many(plain, deadline_s=deadline_s)
        entries = [(channel, payload, key) for (channel, _, key), payload in sealed]
        return await engine.history.append_many(entries, retention, deadline_s=deadline_s)

    def tick(self) -> None:
        """Release channels and buffers without users; call it a few times a second."""
        self.streams.sweep()
        self.presence.tick()
