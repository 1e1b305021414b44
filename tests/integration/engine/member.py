"""A member that uses all of an engine: publishes, follows channels, wants the lease, announces itself.

As a program, `python -m integration.engine.member SETTINGS`, it is one in a process of its own (`far`): it prints a
line when it has begun; reading "halt" it publishes nothing new, reading "record" it prints its record; it ends with its
input.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from integration.engine.record import Heard, Held, Record, Sent
from integration.engine.subscriber import Subscriber
from ringway.app.engine import EngineConfig, open_engine
from ringway.errors import EngineAway, EngineError
from ringway.ports import Engine, Retention
from ringway.types import Channel, NodeName, Role

RETENTION = Retention("room", 10_000, 600)
AGAIN_S = 0.1
LEASE_TTL_S = 2.0
LEASE_EVERY_S = 0.3
LEASE_TURNS = 8
"""How often a holder renews before it gives the lease up, or lets it run out."""

ANNOUNCE_EVERY_S = 0.5
BEGIN_S = 30.0


class Settings(msgspec.Struct):
    """What a member does: `pause_s` is between two publications of it in each of the channels."""

    name: str
    url: str
    channels: list[str]
    lease: str
    pause_s: float


class Member:
    """A member of a trial; `record` contains what it has seen."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.record = Record(settings.name)
        self.subscriber = Subscriber(engine, RETENTION, self.record)
        self._engine = engine
        self._settings = settings
        self._rng = random.Random(settings.name)
        self._halted = asyncio.Event()
        self._ended = asyncio.Event()

    async def begin(self) -> None:
        """Follow all channels, and hear all members."""
        async with asyncio.timeout(BEGIN_S):
            await _insist(lambda: self._engine.history.keep(RETENTION))
            await self._engine.registry.watch(tuple(Role), self._heard)
            for channel in self._settings.channels:
                await _insist(lambda channel=channel: self.subscriber.subscribe(Channel(channel)))  # type: ignore[misc]

    async def run(self) -> None:
        """Use the whole engine until `end`."""
        try:
            async with asyncio.TaskGroup() as group:
                for channel in self._settings.channels:
                    group.create_task(self._publish(Channel(channel)))
                group.create_task(self._contend())
                group.create_task(self._announce())
        finally:
            await self.subscriber.close()

    def halt(self) -> None:
        """Publish nothing new; publications under way are retried until they are confirmed."""
        self._halted.set()

    def end(self) -> None:
        """Do nothing more."""
        self._halted.set()
        self._ended.set()

    async def _publish(self, channel: Channel) -> None:
        await self._pause(self._rng.uniform(0, self._settings.pause_s), self._halted)
        number = 0
        while not self._halted.is_set():
            sent = Sent(channel, number, time.monotonic())
            self.record.sent.append(sent)
            await self._publish_one(channel, sent)
            number += 1
            await self._pause(self._settings.pause_s, self._halted)

    async def _publish_one(self, channel: Channel, sent: Sent) -> None:
        payload = f"{self.record.name} {sent.number}"
        while not self._ended.is_set():
            sent.attempts += 1
            try:
                place = await self._engine.history.append(channel, payload.encode(), RETENTION, key=payload)
            except EngineAway:
                pass
            except EngineError as error:
                self._problem("an append was refused", error)
            else:
                sent.epoch, sent.offset, sent.ended = place.epoch, place.offset, time.monotonic()
                return
            await self._pause(AGAIN_S * self._rng.uniform(0.5, 1.5), self._ended)

    async def _contend(self) -> None:
        """Acquire, renew for a while, then release or let run out; and again."""
        held: Held | None = None
        turns = 0
        lease, name = self._engine.lease, self.record.name
        while not self._ended.is_set():
            asked = time.monotonic()
            try:
                if held is None or held.until <= asked:
                    fence = await lease.acquire(self._settings.lease, name, LEASE_TTL_S)
                    held, turns = self._acquired(fence, asked), 0
                elif turns < LEASE_TURNS:
                    turns += 1
                    held = self._renewed(held, asked, kept=await lease.renew(self._settings.lease, name, LEASE_TTL_S))
                elif self._rng.random() < 0.5:
                    held.until, held = asked, None
                    await lease.release(self._settings.lease, name)
            except EngineAway:
                pass  # who holds it goes on holding it until it has run out
            except EngineError as error:
                self._problem("the lease was refused", error)
            await self._pause(LEASE_EVERY_S * self._rng.uniform(0.8, 1.2), self._ended)

    def _acquired(self, fence: int | None, asked: float) -> Held | None:
        now = time.monotonic()
        if fence is None or now >= asked + LEASE_TTL_S:
            return None
        held = Held(self.record.name, fence, asked, now, asked + LEASE_TTL_S)
        self.record.held.append(held)
        return held

    def _renewed(self, held: Held, asked: float, *, kept: bool) -> Held | None:
        """Note a renewal. After the end of the lease it begins no new time: another holder may have had it."""
        now = time.monotonic()
        if not kept:
            held.until = min(held.until, now)
            return None
        if now < held.until:
            held.until = asked + LEASE_TTL_S
        return held

    async def _announce(self) -> None:
        while not self._ended.is_set():
            with suppress(EngineAway):
                await self._engine.registry.announce(Role.NODE, NodeName(self.record.name), b"%.6f" % time.monotonic())
            await self._pause(ANNOUNCE_EVERY_S, self._ended)

    def _heard(self, role: Role, member: NodeName, report: bytes) -> None:
        self.record.heard.append(Heard(time.monotonic(), member, float(report)))

    def _problem(self, what: str, error: EngineError) -> None:
        self.record.problems.append(f"{what}: {type(error).__name__}: {error}")

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await unless.wait()


async def _insist(do: Callable[[], Awaitable[None]]) -> None:
    """Repeat the call while the engine says that it is away."""
    while True:
        try:
            await do()
        except EngineAway:
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def _main(settings: Settings) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    config = EngineConfig(url=settings.url, wait_s=BEGIN_S)
    async with open_engine(config, settings.name) as engine, asyncio.TaskGroup() as group:
        member = Member(engine, settings)
        await member.begin()
        work = group.create_task(member.run())
        _say("begun")
        while (word := await lines.readline()) and not work.done():
            if word == b"halt\n":
                member.halt()
            else:
                _say(msgspec.json.encode(member.record).decode())
        member.end()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=Settings)))
