"""Reports of a gateway to all members, each second, and soon after a relevant change."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from ringway.core.membership import TICK_S
from ringway.core.report_writer import ReportWriter
from ringway.core.reporting import EARLY_S, REPORT_S, ReportSchedule, next_pause_s, places_have_changed
from ringway.gateway.cluster.directory import Directory
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.directive import Directive
from ringway.protocol.group import CHANNELS
from ringway.protocol.report import Report
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import NodeName, NodeState, Role

if TYPE_CHECKING:
    from random import Random

ANNOUNCE_DEADLINE_S = 1.0
"""The deadline of one announcement or withdrawal."""

_log = get_logger()


def _leads_nothing() -> bool:
    return False


def _follows_none() -> Directive | None:
    return None


class BackendReport(Protocol):
    """The part of a gateway's report about backends (`gateway.backends.holding`)."""

    def has_news(self) -> bool:
        """True if it differs so much from the last report that a report should be sent early."""
        ...

    def claims(self) -> dict[NodeName, BackendClaim]:
        """Return the backends that the gateway knows by sources of its own."""
        ...

    async def collect_shares(self) -> dict[NodeName, BackendShare]:
        """Return its share of each backend; of thousands, over several turns of the event loop."""
        ...


class _NoBackends:
    def has_news(self) -> bool:
        return False

    def claims(self) -> dict[NodeName, BackendClaim]:
        return {}

    async def collect_shares(self) -> dict[NodeName, BackendShare]:
        return {}


NO_BACKENDS = _NoBackends()


class GatewayReporter:
    """Reports one gateway over `engine`, and calls `tick` of its `directory`.

    `me` holds the constant facts: name, incarnation, URLs, version. Each report adds the places that are held, the
    leadership of the gateway's balancer (`leading`), the `directive` that the gateway follows, and the versions of the
    `owners` by which the nodes of each group are to count. The directory receives the members' reports by `ears`, a
    second connection to the engine, if it is given.
    """

    def __init__(
        self,
        directory: Directory,
        engine: Engine,
        me: Report,
        writer: ReportWriter,
        rng: "Random",
        *,
        ears: Engine | None = None,
        leading: Callable[[], bool] = _leads_nothing,
        fence: Callable[[], int] = lambda: 0,
        directive: Callable[[], Directive | None] = _follows_none,
        owners: Callable[[], Mapping[str, str]] = dict,
        backends: BackendReport = NO_BACKENDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._ears = ears
        self._me = me
        self._writer = writer
        self._rng = rng
        self._leading = leading
        self._fence = fence
        self._directive = directive
        self._owners = owners
        self._backends = backends
        self._reported_owners: Mapping[str, str] = {}
        self._clock = clock
        self._tasks = Tasks(leave_to_waiter)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Tasks that must not end while this runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    async def start(self) -> None:
        """Let the directory follow the engine's registry, and report until `stop`."""
        await self._engine.registry.answer(Role.GATEWAY, self._on_asked)
        await self._directory.follow(self._engine, self._ears)
        self._tasks.spawn(self._run(), name="directory")

    async def stop(self) -> None:
        """Stop reporting, and tell the members that this gateway leaves. Idempotent."""
        if not self._tasks:
            return
        await self._tasks.aclose()
        try:
            async with asyncio.timeout(ANNOUNCE_DEADLINE_S):
                await self._engine.registry.withdraw(Role.GATEWAY, self._me.name, self._writer.write_leave())
        except Exception as error:  # the stop continues: members see that this gateway is silent
            _log.warning("the gateway could not withdraw from the registry", error=str(error))

    def _on_asked(self, name: NodeName) -> None:
        if name in ("", self._me.name):
            self._writer.on_asked(self._clock())

    async def _run(self) -> None:
        reported: dict[NodeName, int] = {}
        reported_directive = self._directive()
        schedule = ReportSchedule(self._clock())
        ticked_at = self._clock() - TICK_S
        while True:
            now = self._clock()
            if now >= ticked_at + TICK_S:
                ticked_at = now
                self._directory.tick()
                await asyncio.sleep(0)
            held = self._directory.groups.held()
            directive = self._directive()
            has_news = (
                self._writer.is_asked
                or directive is not reported_directive
                or self._owners() != self._reported_owners
                or places_have_changed(reported, held)
                or self._backends.has_news()
            )
            if schedule.is_due(now, has_news=has_news):
                reported_directive = directive
                await self._announce(held)
                reported = held
                schedule.on_report(now, next_pause_s(REPORT_S, self._rng))
            await asyncio.sleep(min(TICK_S, EARLY_S / 2))

    async def _announce(self, held: dict[NodeName, int]) -> None:
        groups = self._directory.groups
        shares = await self._backends.collect_shares()
        self._reported_owners = self._owners()
        report = msgspec.structs.replace(
            self._me,
            role=Role.GATEWAY,
            reserved=held,
            leading=self._leading(),
            fence=max(self._fence(), self._directory.proven_fence()),
            directive=self._directive(),
            owners=self._reported_owners.get(CHANNELS, ""),
            group_owners={name: told for name, told in self._reported_owners.items() if told and name != CHANNELS},
            engine_up=self._engine.up,
            secrets=self._writer.secrets,
            wire_common=self._writer.wire_version,
            nodes=self._directory.feed.count_nodes(),
            takers=len(groups.takers()),
            gone=self._directory.gone(),
            backends=self._backends.claims(),
            held=shares,
            coming={
                node.name: node.own + node.others
                for node in groups.nodes.values()
                if node.state is NodeState.DRAINING and node.own + node.others
            },
        )
        await asyncio.sleep(0)  # with thousands of backends each part takes some milliseconds
        try:
            message = self._writer.write(report, self._clock())
            if self._writer.last is not None:  # places of this gateway count at once, also while the engine is away
                self._directory.feed.add_report(self._writer.last)
            async with asyncio.timeout(ANNOUNCE_DEADLINE_S):
                await self._engine.registry.announce(Role.GATEWAY, report.name, message)
        except Exception as error:  # the next report follows in a second; only `EngineAway` is expected
            _log.warning("the gateway's report was not sent", error=str(error) or type(error).__name__)
