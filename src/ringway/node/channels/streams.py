"""The channels that this node holds at the engine, each as a stream: how far it has been delivered here, and what was
missed (`core.stream`, `core.replay_buffer`).

    obtain ─▶ joined by subscribers (the hub) ─▶ release ─▶ gone after the linger of `node.channels.interest`

How a session comes to this node without losing or doubling anything (`cut` at its old node, the rest here):

    await streams.obtain(channel)                        # the engine delivers here; with history, the position is known
    hold = streams.keep_tail(channel)                    # what is delivered from now on is kept
    ...                                                  # the old node: cut = streams.cut(channel), and out of its hub
    missed = await streams.since(channel, cut, hold)     # what it has not been sent, until now
    reached = streams.cut(channel)                       # in the same turn: where `missed` ends
    ...                                                  # whatever else must be awaited
    more = streams.after(channel, reached, hold)         # what came meanwhile; then, in the same turn, into the hub:
    hub.add(...); hold.release()

Nothing is delivered between the return of `since` (awaited directly, not as a task) and the next line.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.core.replay_buffer import ReplayEntry
from ringway.core.stream import ChannelStream, Cut, Offered
from ringway.node.channels.catchup import CatchUp
from ringway.node.channels.fanout import Fanout
from ringway.node.channels.history import HistoryReader
from ringway.node.channels.interest import Interest
from ringway.node.channels.recovery import Pay, Recovery
from ringway.node.channels.replay import Hold, Tails
from ringway.protocol.close import INSUFFICIENT_STATE
from ringway.protocol.codec import encode_push
from ringway.protocol.envelope import PUBLICATION
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.core.hub import Hub
    from ringway.node.config.namespace import Namespaces
    from ringway.node.config.node import NodeConfig
    from ringway.node.connection.connection import Connection
    from ringway.node.connection.outbox import Outbox, Send
    from ringway.node.stats import Stats
    from ringway.ports import Engine

HEARD_WITHIN_S = 0.25
"""How long `since` waits for what the old node had delivered of a channel without history and this one has not."""

_LOOK_S = 0.005


class Streams:
    """See the module. `clock` is monotonic, in seconds. It owns the node's interest, and the fan-out that it feeds."""

    def __init__(
        self,
        engine: "Engine",
        namespaces: "Namespaces",
        hub: "Hub[Connection, Send]",
        watchers: "Hub[Connection, Send]",
        outbox: "Outbox",
        config: "NodeConfig",
        stats: "Stats",
        clock: Callable[[], float],
    ) -> None:
        self._namespaces = namespaces
        self._hub = hub
        self._stats = stats
        self._streams: dict[Channel, ChannelStream] = {}
        self.reader = HistoryReader(engine.history, config, stats)
        self.interest = Interest(engine.broker, self, config.linger_s, clock)
        self.fanout = Fanout(
            self._streams,
            hub,
            watchers,
            outbox,
            stats,
            turn_bytes_max=config.turn_bytes_max,
            held_bytes_max=config.tail_bytes_max,
        )
        self._tails = Tails(self._streams, config.tail_bytes_max, clock, self._unneeded)
        self._catch_up = CatchUp(
            self._streams,
            engine,
            self.reader,
            namespaces,
            config.recovery_publications_max,
            self._deliver,
            self._lose,
        )
        self.fanout.behind = self._behind
        self._recovery = Recovery(self._streams, self._catch_up, self.reader, namespaces, config)

    # for those who subscribe

    def ready_now(self, channel: Channel, epoch: str, offset: int) -> bool:
        """Whether a client that has everything up to `offset` of `epoch` (empty: any) may join without the engine."""
        stream = self._streams.get(channel)
        if stream is None or not self.interest.holds(channel):
            return False
        return (stream.epoch, stream.position) == (epoch or stream.epoch, offset)

    async def obtain(self, channel: Channel) -> None:
        """Return when publications reach this node, and with history where the channel stands; claimed for the caller.

        Raise `EngineError`. The caller gives it a deadline, and calls `release` where he does not join after all.
        """
        await self.interest.obtain(channel)

    def release(self, channel: Channel) -> None:
        """Let `channel` go after its linger, where nobody needs it."""
        if not self.needs(channel):
            self.interest.release(channel)

    def settle(self, channel: Channel) -> ChannelStream:
        """Send what was delivered and has not left yet; return the stream, for who joins or leaves in this turn."""
        self.fanout.settle(channel)
        return self._streams[channel]

    async def recover(
        self, channel: Channel, epoch: str, offset: int, pay: Pay | None = None
    ) -> list[ReplayEntry] | None:
        """Return the publications after `offset` of `epoch`; None if completeness cannot be proved.

        An empty `epoch` is the present one; the offset 0 is before all. Nothing is delivered between the return and the
        next line. Raise `EngineError` where the engine does not tell. `pay` is told what was read in vain.
        """
        hold = self._tails.hold(channel)
        try:
            return await self._recovery.missed(channel, epoch, offset, hold.tail, pay)
        finally:
            hold.release()

    # for sessions that come and go

    def cut(self, channel: Channel) -> Cut:
        """Return what has been delivered here; call it in the turn in which the session leaves the hub, before that.

        What was gathered in this loop turn is sent first. Raise `KeyError` where the channel is not held.
        """
        return self.settle(channel).cut()

    def keep_tail(self, channel: Channel) -> Hold:
        """Keep what is delivered of `channel` from now on, until the hold is released; the channel stays held as long.

        Bounded by `tail_bytes_max`; then `since` asks history, or fails without one. Raise `KeyError` where the
        channel is not held.
        """
        self.settle(channel)
        return self._tails.hold(channel)

    async def since(self, channel: Channel, cut: Cut, hold: Hold, *, watching: bool = False) -> list[bytes] | None:
        """Return the pushes that come after `cut`, in order, each once, up to what has been delivered here.

        None where that cannot be proved complete. `watching`: with joins and leaves. See the module for how to go on.
        Raise `EngineError` where the engine does not tell.
        """
        stream = self._streams.get(channel)
        if stream is None:
            return None
        if not stream.kept:
            await self._hear(stream, cut)
            return self.after(channel, cut, hold, watching=watching)
        found = await self._recovery.missed(channel, cut.epoch, cut.offset, hold.tail)
        return None if found is None else self._pushes(channel, found, cut, hold, watching)

    def after(self, channel: Channel, cut: Cut, hold: Hold, *, watching: bool = False) -> list[bytes] | None:
        """As `since`, from the tail alone and at once; None where it does not reach back to `cut`."""
        stream = self._streams.get(channel)
        if stream is None or stream.tail is not hold.tail or stream.epoch != cut.epoch:
            return None
        found = hold.tail.since(cut.offset) if stream.kept else []
        return None if found is None else self._pushes(channel, found, cut, hold, watching)

    def _pushes(
        self, channel: Channel, found: list[ReplayEntry], cut: Cut, hold: Hold, watching: bool
    ) -> list[bytes] | None:
        self.fanout.settle(channel)
        others: list[ReplayEntry] | None = []
        if watching or not self._streams[channel].kept:  # all else has an offset there
            heard = {bytes.fromhex(origin): seq.to_bytes(8, "big") for origin, seq in cut.heard.items()}
            others = hold.tail.unheard(heard, hold.start)
        if others is None:
            return None
        return [
            encode_push(channel, entry.kind, entry.body)
            for entry in (*found, *others)
            if watching or entry.kind == PUBLICATION
        ]

    async def _hear(self, stream: ChannelStream, cut: Cut) -> None:
        """Wait for what the old node has delivered and is on its way to this one: else it would be delivered again.

        Over one connection to one server it has always arrived by now; else one way may be longer than the other.
        """
        expected = {bytes.fromhex(origin): seq.to_bytes(8, "big") for origin, seq in cut.heard.items()}
        for _ in range(round(HEARD_WITHIN_S / _LOOK_S)):
            if all(stream.heard.get(origin, seq) >= seq for origin, seq in expected.items()):
                return
            await asyncio.sleep(_LOOK_S)

    # what the interest calls (`interest.Follower`)

    def begin(self, channel: Channel) -> None:
        """Follow `channel` from what arrives next."""
        self._streams[channel] = ChannelStream(kept=self._namespaces.of(channel).retention is not None)

    async def ready(self, channel: Channel) -> None:
        """Learn where the channel stands. Raise `EngineError`."""
        stream = self._streams[channel]
        retention = self._namespaces.of(channel).retention
        if retention is not None:
            epoch, offset = await self.reader.position(channel, retention)
            self._deliver(channel, stream, stream.begin(epoch, offset))
            if stream.is_behind:
                self._catch_up.start(channel)

    def needs(self, channel: Channel) -> bool:
        """Whether the channel has subscribers, or its tail is kept."""
        stream = self._streams.get(channel)
        return channel in self._hub or (stream is not None and stream.tail is not None)

    def end(self, channel: Channel) -> None:
        """Follow it no more."""
        self._streams.pop(channel, None)

    # time, the engine, the end

    def sweep(self) -> None:
        """Let go what is needed no more; call it a few times a second."""
        self._tails.sweep()
        self.interest.sweep()

    def returned(self) -> None:
        """The engine is back: find out in which channels something was missed (`ports.Engine.on_return`)."""
        self._catch_up.check_all(first=self._hub.__contains__)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._recovery.close()
        await self._catch_up.close()
        await self.interest.close()

    def _unneeded(self, channel: Channel) -> None:
        if channel not in self._hub:
            self.interest.release(channel)

    def _behind(self, channel: Channel) -> None:
        if self._catch_up.begin(channel):
            self._stats.gaps += 1

    def _deliver(self, channel: Channel, stream: ChannelStream, offered: list[Offered]) -> None:
        for offset, payload in offered:
            self.fanout.send(channel, stream, payload, offset)

    def _lose(self, channel: Channel) -> None:
        """Tell those who follow `channel` that publications are missing: they come back and ask what they can get."""
        self._stats.lost += 1
        self.fanout.settle(channel)
        self._tails.forget(channel)
        subscribers = self._hub.subscribers(channel)
        if subscribers is None or not self._namespaces.of(channel).positioned:
            return
        for connection, _ in list(subscribers):
            connection.close(INSUFFICIENT_STATE, "insufficient state")
