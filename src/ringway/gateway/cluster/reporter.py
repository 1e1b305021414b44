"""Reports of a gateway to all members, each second, and soon after something changed that they must know."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ringway.core.membership import TICK_S
from ringway.core.reporting import EARLY_S, REPORT_S, ReportSchedule, next_pause_s, places_have_changed
from ringway.gateway.cluster.directory import Directory
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.directive import Directive
from ringway.protocol.report import Report, encode_report
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import NodeName, Role

if TYPE_CHECKING:
    from random import Random

ANNOUNCE_DEADLINE_S = 1.0
"""How long one announcement or withdrawal may take."""

_log = get_logger()


def _leads_nothing() -> bool:
    return False


def _follows_none() -> Directive | None:
    return None


class GatewayReporter:
    """Reports one gateway over `engine`, and lets time pass in its `directory`.

    `me` holds what does not change: name, incarnation, URLs, version. Each report adds the places that are held,
    whether the gateway's balancer is `leading`, and the `directive` that the gateway follows.
    """

    def __init__(
        self,
        directory: Directory,
        engine: Engine,
        me: Report,
        rng: "Random",
        *,
        leading: Callable[[], bool] = _leads_nothing,
        directive: Callable[[], Directive | None] = _follows_none,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._me = me
        self._rng = rng
        self._leading = leading
        self._directive = directive
        self._clock = clock
        self._tasks = Tasks(leave_to_waiter)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Tasks that must not end while this runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    async def start(self) -> None:
        """Have the directory follow the engine's registry, and report until `stop`."""
        await self._directory.follow(self._engine)
        self._tasks.spawn(self._run(), name="directory")

    async def stop(self) -> None:
        """Stop reporting, and tell the members that this gateway leaves. Idempotent."""
        if not self._tasks:
            return
        await self._tasks.aclose()
        try:
            await asyncio.wait_for(self._engine.registry.withdraw(self._me.name), ANNOUNCE_DEADLINE_S)
        except Exception as error:  # leaving must go on: the members will see a silent member
            _log.warning("the gateway could not withdraw from the registry", error=str(error))

    async def _run(self) -> None:
        seq = 0
        reported: dict[NodeName, int] = {}
        reported_directive = self._directive()
        schedule = ReportSchedule(self._clock())
        while True:
            now = self._clock()
            self._directory.tick()
            held = self._directory.view.ledger.held()
            directive = self._directive()
            has_news = directive is not reported_directive or places_have_changed(reported, held)
            if schedule.is_due(now, has_news=has_news):
                seq += 1
                reported_directive = directive
                await self._announce(seq, held)
                reported = held
                schedule.on_report(now, next_pause_s(REPORT_S, self._rng))
            await asyncio.sleep(min(TICK_S, EARLY_S / 2))

    async def _announce(self, seq: int, held: dict[NodeName, int]) -> None:
        report = msgspec.structs.replace(
            self._me,
            role=Role.GATEWAY,
            seq=seq,
            reserved=held,
            leading=self._leading(),
            directive=self._directive(),
            engine_up=self._engine.up,
        )
        try:
            sent = self._engine.registry.announce(report.name, encode_report(report))
            await asyncio.wait_for(sent, ANNOUNCE_DEADLINE_S)
        except Exception as error:  # the next report follows in a second; only `EngineAway` is to be expected
            _log.warning("the gateway's report was not sent", error=str(error) or type(error).__name__)
