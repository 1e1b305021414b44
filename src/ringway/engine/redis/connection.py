"""All connections to Redis, kept up for ever: which server a name belongs to, and who takes its messages.

One task keeps the picture: it looks which servers take writes, connects, and lets them know all interest again,
whenever a connection was lost or a server said something that does not fit. Servers that stand serve on meanwhile.
Another task asks each server every `TICK_S` whether it is still there.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import hiredis
import structlog

from ringway.engine.condition import Condition
from ringway.engine.redis.command_connection import Then, pack
from ringway.engine.redis.connector import Reach
from ringway.engine.redis.errors import refusal
from ringway.engine.redis.shard import Shard, Told
from ringway.engine.redis.slot import SLOTS, slot_of
from ringway.engine.redis.topology import Part, Topology, topology_of
from ringway.engine.redis.url import Address, Kind, RedisUrl
from ringway.errors import EngineAway, EngineError, EngineUnsuitable

AGAIN_S = 0.2
"""The least pause between attempts to have all servers again."""

TICK_S = 1.0
"""How often each server is asked whether it is there; three times without an answer, and it is lost."""

LOOK_TICKS = 2
"""After how many ticks the sentinels are asked whom they name."""

CONFIRM_S = 30.0
"""How long servers may take to confirm all interest."""

REPORTS = "reports"
"""What `say` carries, as the condition of the engine names it."""

CLOSE_S = 2.0
"""How long closing waits for answers that are due."""

Take = Callable[[bytes], None]
"""Takes what was published, in the call stack of the read."""

_log = structlog.get_logger()


class Wire:
    """The connections of one process. Names are Redis keys and channels, with all that must share a slot in braces."""

    def __init__(self, url: RedisUrl, reach: Reach, line_name: bytes, condition: Condition) -> None:
        self.sharded = url.kind is Kind.CLUSTER
        self.publish_word, self.count_word = (b"SPUBLISH", b"SHARDNUMSUB") if self.sharded else (b"PUBLISH", b"NUMSUB")
        """What Redis calls publishing here, and asking PUBSUB how many are subscribed."""
        self.on_loss: Callable[[], None] = _nothing
        """Called when a server was lost."""
        self.on_return: Callable[[], None] = _nothing
        """Called when all servers are there, and know all interest, after something was lost or in doubt.

        Before that as well, where one is back already and sends something (`tell_missed`).
        """
        self.condition = condition
        self._url = url
        self._reach = reach
        self._line_name = line_name
        self._topology: Topology = topology_of(url, reach)
        self._told = Told(self._lost, self._doubted, self._receive)
        self._shards: dict[Address, Shard] = {}
        self._table: list[Shard | None] = [None] * (SLOTS if self.sharded else 1)
        self._taps: dict[bytes, Take] = {}
        self._settled = False
        self._missed = False
        """Whether something may have been missed that `on_return` has not told yet."""
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def up(self) -> bool:
        """Whether all servers are there, and know all interest."""
        return self._settled

    async def open(self) -> None:
        """Connect to all servers; raise `EngineError` where that fails."""
        try:
            await self._establish()
        except BaseException:
            self._topology.close()
            raise
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep()), loop.create_task(self._tick())]

    def require(self) -> None:
        """Raise `EngineAway` where not all servers are there."""
        if not self._settled:
            raise EngineAway("Redis cannot be reached at the moment; retry")

    def shard_of(self, name: bytes) -> Shard:
        """Return the server to which `name` belongs; raise `EngineAway` where it is not there."""
        shard = self._table[slot_of(name) if self.sharded else 0]
        if shard is None or not shard.up:
            raise EngineAway("Redis cannot be reached at the moment; retry")
        return shard

    def ask(self, name: bytes, command: bytes) -> asyncio.Future[Any]:
        """Send `command`, which is about `name`, at the end of this loop turn; the future gets the answer.

        Raise `EngineAway` where it cannot be sent; see `Link.ask` for how the future fails.
        """
        return self.shard_of(name).commands.ask(command)

    def send(self, name: bytes, command: bytes, then: Then) -> None:
        """Send `command`, which is about `name`; `then` gets the answer. Raise `EngineAway`."""
        self.shard_of(name).commands.send(command, then)

    def publish(self, name: bytes, message: bytes) -> asyncio.Future[Any]:
        """Publish `message` on `name`; the future is done when the server has sent it to all who are subscribed."""
        return self.ask(name, pack(self.publish_word, name, message))

    def say(self, name: bytes, message: bytes) -> None:
        """Publish `message` on `name`, and never mind what becomes of it."""
        with suppress(EngineAway):
            self.send(name, pack(self.publish_word, name, message), self._said)

    def _said(self, answer: Any) -> None:
        if isinstance(answer, hiredis.ReplyError):
            error = refusal(str(answer))
            if isinstance(error, EngineUnsuitable):
                self.condition.on_refused(REPORTS, error)
        elif self.condition.refuses and not isinstance(answer, EngineError):
            self.condition.on_served(REPORTS)

    def tap(self, name: bytes, take: Take) -> None:
        """Let `take` have what is published on `name`, from now on or from when the server is there."""
        self._taps[name] = take
        with suppress(EngineAway):
            self.shard_of(name).listener.add(name)

    async def subscribe(self, name: bytes, take: Take) -> None:
        """Tap `name`, and return when its server has confirmed that. Raise `EngineAway`.

        Idempotent: the first `take` stays. Where the first subscribe fails, the name is not tapped.
        """
        listener = self.shard_of(name).listener
        if name in self._taps:
            await listener.settled()  # an earlier subscribe may still be under way
            return
        self._taps[name] = take
        try:
            await listener.join(name)
        except EngineError:
            self.untap(name)
            raise

    def untap(self, name: bytes) -> None:
        """Take no more messages from `name`; the server is told at the end of this loop turn."""
        if self._taps.pop(name, None) is not None:
            with suppress(EngineAway):
                self.shard_of(name).listener.leave(name)

    def tell_missed(self) -> None:
        """Call `on_return` now, where it is due: before anything kept is passed on.

        A server that is back sends messages at once, maybe long before the others are back. If it has lost its data,
        they do not show that others were before them.
        """
        if self._missed:
            self._missed = False
            self.on_return()

    async def confirmed(self, name: bytes) -> None:
        """Return when the server of `name` knows what is tapped and what no more; quiet where it is away."""
        with suppress(EngineError):
            await self.shard_of(name).listener.settled()

    def _receive(self, name: bytes, data: bytes) -> None:
        take = self._taps.get(name)
        if take is not None:
            try:
                take(data)
            except Exception:
                # The fault of one receiver must not end the connection of all.
                _log.exception("a receiver of messages failed", channel=name.decode(errors="replace"))

    def _lost(self) -> None:
        self._unsettle()
        self._look.set()

    def _doubted(self) -> None:
        self._look.set()

    def _unsettle(self) -> None:
        if self._settled:
            self._settled = False
            self.condition.on_lost()
            self.on_loss()

    async def _keep(self) -> None:
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                await self._renew()
            except Exception as error:
                # Whatever it was, this task must go on: without it nothing comes back.
                self._unsettle()
                if isinstance(error, EngineError):
                    self.condition.on_attempt_failed(error)
                else:
                    _log.exception("connecting to redis failed", engine=str(self._url))
                self._look.set()
            await asyncio.sleep(max(AGAIN_S, self.condition.pause_s()))

    async def _renew(self) -> None:
        was_away = not self._settled
        await self._establish()
        if was_away:
            self.condition.on_returned()
        self._missed = True
        self.tell_missed()

    async def _establish(self) -> None:
        """Have all servers that take writes now, with all interest known to them."""
        parts = await self._topology.find()
        outcomes = await asyncio.gather(*(self._have(part) for part in parts), return_exceptions=True)
        shards = [outcome for outcome in outcomes if isinstance(outcome, Shard)]
        problems = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        before = self._table
        self._table = self._draw(zip(parts, outcomes, strict=True))
        for address, shard in list(self._shards.items()):
            if shard not in shards:
                del self._shards[address]
                shard.end()
        self._shards |= {shard.address: shard for shard in shards}
        try:
            async with asyncio.timeout(CONFIRM_S):
                await asyncio.gather(*self._interest(before))
        except TimeoutError:
            for shard in shards:
                shard.abort()
            raise EngineAway(f"Redis did not confirm all interest within {CONFIRM_S:g} s; retry") from None
        if problems:
            raise problems[0]
        if not all(shard.up for shard in shards):
            raise EngineAway("Redis was lost again; retry")
        self._settled = True

    async def _have(self, part: Part) -> Shard:
        """Return the server of `part`: the one that stands, or a new one."""
        shard = self._shards.get(part.address)
        if shard is None or not shard.up:
            shard = Shard(part.address, self._url.kind, self._told)
            await shard.open(self._reach)
        try:
            await shard.identify(self._line_key(part))
        except BaseException:
            shard.end()
            raise
        return shard

    def _line_key(self, part: Part) -> bytes:
        """The key for the line of a server's data: the same for all members, in a slot of that server."""
        number = 0
        while True:
            key = b"%b{%d}" % (self._line_name, number)
            if not self.sharded or any(slot_of(key) in slots for slots in part.slots):
                return key
            number += 1

    def _draw(self, found: Iterable[tuple[Part, Shard | BaseException]]) -> list[Shard | None]:
        table: list[Shard | None] = [None] * len(self._table)
        for part, shard in found:
            if isinstance(shard, Shard):
                for slots in part.slots:
                    for slot in slots if self.sharded else range(1):
                        table[slot] = shard
        return table

    def _interest(self, before: Sequence[Shard | None]) -> list[asyncio.Future[None]]:
        """Subscribe what is tapped where its server is new to it."""
        waiting = []
        for name in self._taps:
            slot = slot_of(name) if self.sharded else 0
            shard = self._table[slot]
            if shard is not None and shard.up and (shard is not before[slot] or shard.listener.dropped(name)):
                waiting.append(shard.listener.join(name))
        self._missed = self._missed or bool(waiting)
        return waiting

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            try:
                for shard in list(self._shards.values()):
                    shard.tick()
                if ticks % LOOK_TICKS == 0 and await self._topology.changed(list(self._shards)):
                    self._look.set()
            except Exception:
                # Without this task a server that is dead without a word would stay unnoticed.
                _log.exception("asking redis failed", engine=str(self._url))

    async def close(self) -> None:
        """Wait shortly for the answers that are due, and end all connections."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._settled = False
        self.on_loss = _nothing
        await asyncio.gather(*(shard.close(CLOSE_S) for shard in self._shards.values()))
        self._topology.close()


def _nothing() -> None:
    """Stands for `on_loss` and `on_return` until they are set."""
