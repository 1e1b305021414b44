"""Member of the cluster: the duties of every process that holds connections, beside holding them.

A member reports, receives the other members' reports, carries out orders, drains by a deadline, closes its connections
after a stop of the process, and leaves in order. The component that holds the connections is behind `Holder`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic

from ringway.core.membership import TICK_S
from ringway.core.reachability import Reachability
from ringway.core.report_writer import ReportWriter
from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.fencing import Fencing
from ringway.member.holder import C, Holder
from ringway.member.key_counts import KeyCounts
from ringway.member.limits import read_limits
from ringway.member.orders import OrderHandler
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.reporter import Reporter
from ringway.member.selection import MoveSelection
from ringway.member.sent_moves import SentMoves
from ringway.member.shutdown import GracefulShutdown
from ringway.member.taken_notices import TakenNotices
from ringway.member.utilisation import Utilisation
from ringway.ports import Engine
from ringway.protocol.order import Unreached
from ringway.protocol.report import Report
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import Role

WITHDRAW_S = 1.0
"""The time that the withdrawal may take."""

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """Settings of a member, as the holder's component has them."""

    report_interval_s: float
    egress_bytes_per_s_max: float  # 0: the speed of the network card
    drain_within_s: float  # at SIGTERM; 0: no drain
    close_deadline_s: float  # for a client to answer a close
    stop_deadline_s: float  # for all clients to end, when the member stops
    idle_after_s: float  # clients that were silent for so long are moved before busy ones
    move_oldest_first: bool


class Member(Generic[C]):
    """The parts of one member, in the order in which they start, tick and stop. `clock` is monotonic.

    `introduction` is described at `Reporter`; `ring_secret` keys the hash tables as in the gateways' policy.
    `tickets` and `sent` listen to `feed`.
    """

    def __init__(
        self,
        introduction: Report,
        settings: MemberSettings,
        engine: Engine,
        holder: Holder[C],
        *,
        feed: Feed,
        drain: Drain,
        tickets: RedeemedTickets,
        sent: SentMoves,
        process: ProcessStats,
        writer: ReportWriter,
        ring_secret: bytes,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        name = introduction.name
        self._name = name
        self._settings = settings
        self._engine = engine
        self._holder = holder
        self._feed = feed
        self._drain = drain
        self._tickets = tickets
        self._sent = sent
        self._process = process
        self._clock = clock
        self._utilisation = Utilisation(read_limits(settings.egress_bytes_per_s_max), clock())
        selection = MoveSelection(
            name, holder, drain, ring_secret,
            idle_after_s=settings.idle_after_s, oldest_first=settings.move_oldest_first, clock=clock,
        )  # fmt: skip
        self._keys = KeyCounts(engine.bus, feed, selection, sent, clock, rng)
        self.reporter = Reporter(
            introduction, engine, holder, drain, tickets, sent, process, self._utilisation,
            writer=writer, keys=self._keys, interval_s=settings.report_interval_s, clock=clock, rng=rng,
        )  # fmt: skip
        self._orders = OrderHandler(
            name, engine.bus, holder, selection, drain, clock, self._keys.owners, on_unreached=self._on_unreached
        )
        self._reachability = Reachability()
        self._notices = TakenNotices(name, introduction.incarnation, engine.bus, tickets, sent)
        self._fencing = Fencing(holder)
        self._shutdown = GracefulShutdown(
            name, holder, drain, feed, self.reporter, sent, close_deadline_s=settings.close_deadline_s, clock=clock
        )
        self._tasks = Tasks(leave_to_waiter)

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """Tasks that must not end while the member runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    @property
    def utilisation(self) -> dict[str, float]:
        """The utilisation by resource: 1 is as much as is healthy. The member changes this mapping in place."""
        return self._utilisation.shares

    def reach_problem(self) -> str:
        """Return the number of gateways that could not open this member's URL lately, with reasons; empty if there is
        no problem."""
        gateways = [name for name, report in self._feed.live.items() if report.role is Role.GATEWAY]
        return self._reachability.problem(gateways, self._clock())

    def _on_unreached(self, notice: Unreached) -> None:
        if self._reachability.on_unreached(notice.gateway, notice.why, self._clock()):
            _log.error(
                "a gateway could not open this node, and sends it no clients", gateway=notice.gateway, why=notice.why
            )

    async def watch(self) -> None:
        """Receive the reports of gateways from now on, and no reports of nodes. Raise `EngineError` if that fails."""
        await self._feed.follow(self._engine.registry, (Role.GATEWAY,))

    async def start(self) -> None:
        """Carry out orders and report from now on."""
        await self._orders.start()
        await self._notices.start()
        self._tasks.spawn(self.reporter.run(), name="reporter")

    def expect_tick(self) -> None:
        """Measure from now on how late the next tick is."""
        self._process.expect(self._clock() + TICK_S)

    def tick(self) -> None:
        """Let time pass; call it every `TICK_S`."""
        self._process.pulse()
        now = self._clock()
        self._fencing.tick(self.reporter.seq)
        self._feed.tick(engine_up=self._engine.up)
        self._tickets.tick()
        self._notices.tick()
        self._sent.tick()
        self._keys.tick()
        self._drain.tick(now, self._holder)
        self.reporter.poll()

    async def drain(self) -> None:
        """Move the connections to other members within `drain_within_s`, before the stop; at once if that is 0."""
        if self._settings.drain_within_s:
            await self._shutdown.drain(self._settings.drain_within_s)

    async def leave(self) -> None:
        """Stop reporting, then withdraw from the registry: a report after the withdrawal would cancel it."""
        await self._tasks.aclose()
        try:
            async with asyncio.timeout(WITHDRAW_S):
                await self.reporter.withdraw()
        except (EngineError, TimeoutError) as error:
            _log.warning("the withdrawal was not sent", error=str(error))

    async def stop_orders(self) -> None:
        """Stop carrying out orders."""
        await self._keys.stop()
        await self._orders.stop()
        await self._notices.stop()

    async def close_connections(self) -> None:
        """Close all connections in batches, and cut those that have not ended after `stop_deadline_s`."""
        await self._shutdown.close_connections(self._settings.stop_deadline_s)
