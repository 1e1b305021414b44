"""Streams of a node: each channel that it holds at the engine, with the position of its deliveries and the recovery of
missed publications (`core.stream`, `core.replay_buffer`).

    obtain ─▶ joined by subscribers (the hub) ─▶ release ─▶ ended after the linger of `node.channels.interest`

A session comes to this node without loss or duplicates by these calls (`snapshot` at its old node, the rest here):

    await streams.obtain(channel)                        # the engine delivers here; with history, the position is known
    lease = streams.lease(channel)                       # messages are stored from now on
    ...                                                  # the old node: cut = streams.snapshot(channel), out of its hub
    missed = await streams.since(channel, cut, lease)    # the messages that the client was not sent, until now
    reached = streams.snapshot(channel)                  # in the same turn: the end of `missed`
    ...                                                  # any further awaits
    more = streams.after(channel, reached, lease)        # the messages since; then, in the same turn, into the hub:
    hub.add(...); lease.release()

There is no delivery between the return of `since` (awaited directly, not as a task) and the next line.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ringway.core.hub import Hub
from ringway.core.replay_buffer import ReplayEntry
from ringway.core.stream import ChannelStream, Cut, Offered
from ringway.node.channels.catchup import CatchUp
from ringway.node.channels.fanout import Fanout
from ringway.node.channels.history import HistoryReader
from ringway.node.channels.interest import Interest
from ringway.node.channels.recovery import Pay, Recovery
from ringway.node.channels.replay import ReplayBuffers, ReplayLease
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.node.stats import NodeStats
from ringway.ports import Engine
from ringway.protocol.close import INSUFFICIENT_STATE
from ringway.protocol.codec import encode_push
from ringway.protocol.envelope import PUBLICATION
from ringway.types import Channel

HEARD_WITHIN_S = 0.25
"""The time for which `since` waits for messages without history that only the old node has delivered so far."""


class Streams:
    """The streams of one node, its interest in them, and the fan-out that they feed. `clock` is monotonic, in seconds.

    `hub` holds the subscribers of each channel, `watchers` the subscribers that receive joins and leaves.
    """

    def __init__(
        self,
        engine: Engine,
        namespaces: Namespaces,
        hub: Hub[Subscriber, Send],
        watchers: Hub[Subscriber, Send],
        outbox: Outbox,
        config: NodeConfig,
        stats: NodeStats,
        clock: Callable[[], float],
    ) -> None:
        self._namespaces = namespaces
        self._hub = hub
        self._stats = stats
        self._streams: dict[Channel, ChannelStream] = {}
        self._waiting_to_hear: dict[Channel, list[asyncio.Event]] = {}
        self.reader = HistoryReader(engine.history, config, stats)
        self.interest = Interest(engine.broker, self, config.linger_s, clock)
        self.fanout = Fanout(self._streams, hub, watchers, outbox, config, stats, self._on_gap, self._on_heard)
        self._buffers = ReplayBuffers(self._streams, config.tail_bytes_max, clock, self._on_unneeded)
        self._catch_up = CatchUp(
            self._streams,
            engine,
            self.reader,
            namespaces,
            config.recovery_publications_max,
            self._deliver,
            self._lose,
        )
        self._recovery = Recovery(self._streams, self._catch_up, self.reader, namespaces, config)

    # for clients that subscribe

    def is_current(self, channel: Channel, epoch: str, offset: int) -> bool:
        """True if a client with all publications up to `offset` of `epoch` (empty: any) missed none."""
        stream = self._streams.get(channel)
        if stream is None or not self.interest.holds(channel):
            return False
        return (stream.epoch, stream.position) == (epoch or stream.epoch, offset)

    async def obtain(self, channel: Channel) -> None:
        """Return when publications reach this node and, with history, the position is known; claimed for the caller.

        Raise `EngineError`. The caller gives it a deadline, and calls `release` if no subscriber joins.
        """
        await self.interest.obtain(channel)

    def release(self, channel: Channel) -> None:
        """End the interest in `channel` after its linger, if it is not needed any more."""
        if not self.is_needed(channel):
            self.interest.release(channel)

    def flush(self, channel: Channel) -> ChannelStream:
        """Send the gathered messages; return the stream, for a subscriber that joins or leaves in this turn."""
        self.fanout.flush_channel(channel)
        return self._streams[channel]

    async def recover(
        self, channel: Channel, epoch: str, offset: int, pay: Pay | None = None
    ) -> list[ReplayEntry] | None:
        """Return the publications after `offset` of `epoch`; None if completeness cannot be proved.

        An empty `epoch` is the present epoch; the offset 0 is before all publications. There is no delivery between the
        return and the next line. Raise `EngineError` if the engine does not answer. `pay` is called with the bytes that
        were read in vain.
        """
        lease = self._buffers.lease(channel)
        try:
            return await self._recovery.missed(channel, epoch, offset, lease.buffer, pay)
        finally:
            lease.release()

    # for sessions that come and go

    def snapshot(self, channel: Channel) -> Cut:
        """Return the position of the deliveries; call it in the turn in which the session leaves the hub, before that.

        Messages that were gathered in this loop turn are sent first. Raise `KeyError` if the channel is not held.
        """
        return self.flush(channel).cut()

    def lease(self, channel: Channel) -> ReplayLease:
        """Store the messages of `channel` from now on, and hold the channel, until the lease is released.

        Bounded by `tail_bytes_max`; beyond that `since` reads history, or fails without it. Raise `KeyError` if the
        channel is not held.
        """
        self.flush(channel)
        return self._buffers.lease(channel)

    async def since(
        self, channel: Channel, cut: Cut, lease: ReplayLease, *, watching: bool = False
    ) -> list[bytes] | None:
        """Return the pushes after `cut`, in order, each once, up to the last delivery here.

        None if completeness cannot be proved. `watching`: with joins and leaves. The docstring of this module has the
        next steps. Raise `EngineError` if the engine does not answer.
        """
        stream = self._streams.get(channel)
        if stream is None:
            return None
        if not stream.kept:
            await self._hear(channel, stream, cut)
            return self.after(channel, cut, lease, watching=watching)
        found = await self._recovery.missed(channel, cut.epoch, cut.offset, lease.buffer)
        return None if found is None else self._pushes(channel, found, cut, lease, watching)

    def after(self, channel: Channel, cut: Cut, lease: ReplayLease, *, watching: bool = False) -> list[bytes] | None:
        """As `since`, from the buffer alone and at once; None if it does not reach back to `cut`."""
        stream = self._streams.get(channel)
        if stream is None or stream.buffer is not lease.buffer or stream.epoch != cut.epoch:
            return None
        found = lease.buffer.since(cut.offset) if stream.kept else []
        return None if found is None else self._pushes(channel, found, cut, lease, watching)

    def _pushes(
        self, channel: Channel, found: list[ReplayEntry], cut: Cut, lease: ReplayLease, watching: bool
    ) -> list[bytes] | None:
        self.fanout.flush_channel(channel)
        others: list[ReplayEntry] | None = []
        if watching or not self._streams[channel].kept:  # publications with history have an offset
            others = lease.buffer.unheard(_heard_by(cut), lease.start)
        if others is None:
            return None
        return [
            encode_push(channel, entry.kind, entry.body)
            for entry in (*found, *others)
            if watching or entry.kind == PUBLICATION
        ]

    async def _hear(self, channel: Channel, stream: ChannelStream, cut: Cut) -> None:
        """Wait for messages that the old node has delivered and that are on the way here: they must not be repeated.

        Over one connection to one server they have always arrived by now; over several servers, the ways differ.
        """
        expected = _heard_by(cut)
        heard = asyncio.Event()
        waiting = self._waiting_to_hear.setdefault(channel, [])
        waiting.append(heard)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_WITHIN_S):
                    while any(stream.heard.get(origin, seq) < seq for origin, seq in expected.items()):
                        heard.clear()
                        await heard.wait()
        finally:
            waiting.remove(heard)
            if not waiting:
                self._waiting_to_hear.pop(channel, None)

    def _on_heard(self, channel: Channel) -> None:
        for heard in self._waiting_to_hear.get(channel, ()):
            heard.set()

    # calls of the interest (`interest.ChannelFollower`)

    def follow(self, channel: Channel) -> None:
        """Follow `channel` from the next message on."""
        self._streams[channel] = ChannelStream(kept=self._namespaces.of(channel).retention is not None)

    async def learn_position(self, channel: Channel) -> None:
        """Begin the stream at the present position of history. Raise `EngineError`."""
        stream = self._streams[channel]
        retention = self._namespaces.of(channel).retention
        if retention is not None:
            epoch, offset = await self.reader.position(channel, retention)
            self._deliver(channel, stream, stream.begin(epoch, offset))
            if stream.is_behind:
                self._catch_up.start(channel)

    def is_needed(self, channel: Channel) -> bool:
        """True if the channel has subscribers, or its buffer has a lease."""
        stream = self._streams.get(channel)
        return channel in self._hub or (stream is not None and stream.buffer is not None)

    def unfollow(self, channel: Channel) -> None:
        """Stop following the channel."""
        self._streams.pop(channel, None)

    # time, the engine, the end

    def sweep(self) -> None:
        """Release channels and buffers without users; call it a few times a second."""
        self._buffers.sweep()
        self.interest.sweep()

    def on_return(self) -> None:
        """Find the channels with missing publications: the engine is back (`ports.Engine.on_return`)."""
        self._catch_up.check_all(first=self._hub.__contains__)

    async def aclose(self) -> None:
        """Cancel the requests and reads under way."""
        await self._recovery.aclose()
        await self._catch_up.aclose()
        await self.interest.aclose()

    def _on_unneeded(self, channel: Channel) -> None:
        if channel not in self._hub:
            self.interest.release(channel)

    def _on_gap(self, channel: Channel) -> None:
        if self._catch_up.begin(channel):
            self._stats.gaps += 1

    def _deliver(self, channel: Channel, stream: ChannelStream, offered: list[Offered]) -> None:
        for offset, payload in offered:
            self.fanout.send(channel, stream, payload, offset)

    def _lose(self, channel: Channel) -> None:
        """Close the subscribers of `channel`, since publications are missing. They come back and recover."""
        self._stats.lost += 1
        self.fanout.flush_channel(channel)
        self._buffers.forget(channel)
        subscribers = self._hub.subscribers(channel)
        if subscribers is None or not self._namespaces.of(channel).positioned:
            return
        for subscriber, _ in list(subscribers):
            subscriber.close(INSUFFICIENT_STATE, "insufficient state")


def _heard_by(cut: Cut) -> dict[bytes, bytes]:
    """Return the sequence numbers of `cut` in the form of a stream."""
    return {bytes.fromhex(origin): seq.to_bytes(8, "big") for origin, seq in cut.heard.items()}
