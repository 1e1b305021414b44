"""Knocks of a gateway: each node is let in when it has answered at its URL as the node that reports (P-8.11).

Answers are applied together, at most every `BATCH_S`, since each change of the eligible nodes makes tables anew: a
gateway that starts with a thousand nodes makes them a few times, and not a thousand times.
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING

from ringway.core.group import Groups
from ringway.core.knock import Attempt, Knock, KnockSchedule
from ringway.core.knock_judgement import KnockVerdict
from ringway.core.membership import MemberLeft, MemberReported, MembershipEvent
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.types import NodeName, Role

if TYPE_CHECKING:
    from random import Random

BATCH_S = 0.1

MakeKnock = Callable[[Knock, float], Awaitable[KnockVerdict]]
"""Knocks once, within the given seconds."""

_log = get_logger()


class Knocks:
    """Knocks at all nodes of `groups`, which holds them in doubt until then. `clock` is monotonic."""

    def __init__(
        self,
        groups: Groups,
        make_knock: MakeKnock,
        stats: GatewayStats,
        rng: "Random",
        clock: Callable[[], float],
        longest_s: float,
    ) -> None:
        groups.knocks = True
        self._groups = groups
        self._make_knock = make_knock
        self._stats = stats
        self._clock = clock
        self._longest_s = longest_s
        self._schedule = KnockSchedule(rng)
        self._answered: dict[NodeName, Knock] = {}  # answers that are not applied yet
        self._applied_at = -inf
        self._news = asyncio.Event()

    def on_event(self, event: MembershipEvent) -> None:
        """Knock at a node that joined, or that reports a new URL. A listener of the directory, after the view."""
        report = event.report
        node = self._groups.nodes.get(report.name)
        if isinstance(event, MemberReported) and (node is None or not node.doubt):
            return  # nearly all events
        if report.role is not Role.NODE or report.is_backend:  # backends are checked (gateway.backends.health)
            return
        if isinstance(event, MemberLeft):
            self._schedule.forget(report.name)
            return
        if node is None or not node.doubt:
            return
        knock = Knock(report.name, report.incarnation, report.url)
        if self._answered.get(knock.name) != knock:
            self._schedule.want(knock)
            self._news.set()

    def knock_again(self, name: NodeName) -> None:
        """Knock at the node `name` although it has answered before, as soon as there is a slot."""
        node = self._groups.nodes.get(name)
        if node is not None and node.report is not None:
            self._schedule.want(Knock(name, node.incarnation, node.report.url))
            self._news.set()

    async def run(self) -> None:
        """Knock until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                now = self._clock()
                self._apply(now)
                for attempt in self._schedule.due(now):
                    group.create_task(self._try(attempt))
                await self._pause(now)

    async def _pause(self, now: float) -> None:
        """Wait until there is something to do."""
        times = [due for due in (self._schedule.next_due(),) if due is not None]
        if self._answered:
            times.append(self._applied_at + BATCH_S)
        try:
            async with asyncio.timeout(max(0.0, min(times) - now) if times else None):
                await self._news.wait()
        except TimeoutError:
            return

    async def _try(self, attempt: Attempt) -> None:
        """Make one knock, and record its result."""
        knock = attempt.knock
        verdict = await self._make_knock(knock, attempt.within_s(self._longest_s))
        self._stats.knocks[verdict.kind or "answered"] += 1
        if not verdict.kind:
            if self._schedule.answered(attempt):
                self._answered[knock.name] = knock
            if attempt.number:
                _log.info("a node has answered the knock at its URL", node=knock.name, url=knock.url)
        else:
            if self._schedule.failed(attempt, verdict.kind, self._clock()):
                _log.warning("no client is sent to a node: its URL " + verdict.why, node=knock.name, url=knock.url)
            if self._schedule.wants(knock) and self._is_current(knock):
                self._groups.doubt(knock.name, f"its URL {knock.url} {verdict.why}")
        self._news.set()

    def _apply(self, now: float) -> None:
        """Believe the nodes that have answered, unless nodes were believed just now and more answers are expected."""
        if self._answered and (now >= self._applied_at + BATCH_S or not self._schedule.under_way):
            self._groups.believe(knock.name for knock in self._answered.values() if self._is_current(knock))
            self._answered.clear()
            self._applied_at = now

    def _is_current(self, knock: Knock) -> bool:
        """True if the node reports what the knock expected."""
        node = self._groups.nodes.get(knock.name)
        if node is None or node.report is None:
            return False
        return (node.incarnation, node.report.url) == (knock.incarnation, knock.url)
