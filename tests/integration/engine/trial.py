"""Members on a fleet of engine servers, while a test does things to the fleet: begun, watched, judged in the end."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from integration.engine.far import FarMember
from integration.engine.judge import judge_delivery, judge_leases, membership_s, problems_of, silence_s
from integration.engine.member import Member, Settings
from integration.engine.record import Record
from ringway.app.engine import EngineConfig, open_engine
from ringway.logger import get_logger
from support.fleet import Fleet

CHANNELS = 20
RATE = 100.0
MEMBERS = 3
LOOK_S = 0.1
DEAF_S = 0.4
SETTLE_S = 30.0
"""How long it may take until all is confirmed and delivered, once nothing is done to the servers any more."""

MEMBERSHIP_S = 5.0
"""How long after a fault is over every member must have been heard by every other."""

T = TypeVar("T")
_trials = itertools.count()
_log = get_logger()


class Hands:
    """A fleet, and the one thread in which it is touched: servers end with the thread that started them."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._thread = ThreadPoolExecutor(1)

    async def do(self, what: Callable[[], T]) -> T:
        """Call `what` in the thread, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)

    def do_now(self, what: Callable[[], T]) -> T:
        """As `do`, and block."""
        return self._thread.submit(what).result()

    def close(self) -> None:
        """End the servers and the thread."""
        self.do_now(self.fleet.stop)
        self._thread.shutdown()


class Trial:
    """A trial; made by `trial`."""

    def __init__(self, members: list[Member], far: Sequence[FarMember]) -> None:
        self._members = members
        self._far = far
        self.membership_s: list[float] = []
        """The time that membership took after each fault."""

    async def records(self) -> list[Record]:
        """Return the records of all members."""
        return [*(member.record for member in self._members), *[await each.record() for each in self._far]]

    async def await_members(self, since: float, within_s: float = MEMBERSHIP_S) -> None:
        """Return when every member has heard every member after `since`; fail if that takes too long."""
        while (found := membership_s(await self.records(), since)) is None:
            assert time.monotonic() - since < 4 * within_s, f"after {4 * within_s:g} s not all members are heard"
            await asyncio.sleep(LOOK_S)
        self.membership_s.append(round(found, 2))
        assert found <= within_s

    @asynccontextmanager
    async def one_deaf(self) -> AsyncIterator[None]:
        """Let one member miss what was published shortly before the block and in it."""
        subscriber = self._members[-1].subscriber
        subscriber.is_deaf = True
        await asyncio.sleep(DEAF_S)
        try:
            yield
        finally:
            subscriber.is_deaf = False

    async def finish(self, *, all_kept: bool, exclusive: bool) -> None:
        """Publish no more, wait until all is delivered, and judge."""
        for member in (*self._members, *self._far):
            member.halt()
        began = time.monotonic()
        while wrongs := judge_delivery(records := await self.records(), all_kept=all_kept):
            if time.monotonic() - began > SETTLE_S:
                break
            await asyncio.sleep(LOOK_S)
        _log.info("trial", **self._measured(records))
        wrongs = [*problems_of(records), *wrongs, *judge_leases(records, exclusive=exclusive)]
        assert not wrongs, "\n".join(wrongs)
        assert any(record.held for record in records), "nobody ever held the lease"

    def _measured(self, records: Sequence[Record]) -> dict[str, Any]:
        """Return the measures of a trial for the log (`pytest -s`)."""
        sent = [each for record in records for each in record.sent]
        beginnings = sum(not seen.payload for record in records for seen in record.seen)
        return {
            "publications": len(sent),
            "attempts": sum(each.attempts for each in sent),
            "unconfirmed_s_max": round(silence_s(records), 2),
            "membership_s": self.membership_s,
            "told": beginnings - len(records) * CHANNELS,
            "leases": sum(len(record.held) for record in records),
        }


def settings_of(url: str, count: int = MEMBERS) -> list[Settings]:
    """The settings of members of a trial of their own, which share channels: the fleet may have seen others before."""
    number = next(_trials)
    channels = [f"room:{number}-{each}" for each in range(CHANNELS)]
    pause_s = count * CHANNELS / RATE
    return [Settings(f"{name}{number}", url, channels, f"contest-{number}", pause_s) for name in "abcdefgh"[:count]]


@asynccontextmanager
async def trial(settings: list[Settings], far: Sequence[FarMember] = ()) -> AsyncIterator[Trial]:
    """Open members in this process, each with a connection of its own, and let them do all they do for the block.

    `far` are further ones, which have begun.
    """
    async with AsyncExitStack() as stack:
        members = []
        for each in settings:
            config = EngineConfig(url=each.url, wait_s=SETTLE_S)
            engine = await stack.enter_async_context(open_engine(config, each.name))
            members.append(Member(engine, each))
        await asyncio.gather(*(member.begin() for member in members))
        async with asyncio.TaskGroup() as group:
            for member in members:
                group.create_task(member.run())
            try:
                yield Trial(members, far)
            finally:
                for member in members:
                    member.end()
