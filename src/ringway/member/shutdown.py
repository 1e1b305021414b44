"""Graceful shutdown of a member: its connections are moved away first, and closed in batches in the end.

SIGTERM begins the shutdown; `core.shutdown` decides when the drain is over. The member drains by its own deadline. Its
next report, which is sent at once, says so: gateways send no more clients, and the leading balancer paces the moves. At
the deadline the member closes the connections that are left (`drain`).
"""

import asyncio
from collections.abc import Callable
from typing import Generic

from ringway.core.membership import TICK_S
from ringway.core.progress import Progress
from ringway.core.shutdown import End, ShutdownConditions
from ringway.logger import get_logger
from ringway.member.drain import SPREAD_S, Drain
from ringway.member.feed import Feed
from ringway.member.holder import C, CloseCause, Holder
from ringway.member.reporter import Reporter
from ringway.member.sent_moves import SentMoves
from ringway.types import NodeName

LOGGED_S = 5.0
"""The period of the log lines about the drain's progress."""

CLOSING_EXTRA_S = 0.5

BATCHES = 20
"""The number of batches in which the connections are closed in the end: the clients must not return in one crowd."""

BATCH_PAUSE_S = 0.05
"""The longest pause between two batches."""

_log = get_logger()


class GracefulShutdown(Generic[C]):
    """The end of the member `name`. `clock` is monotonic; a client must answer a close within `close_deadline_s`."""

    def __init__(
        self,
        name: NodeName,
        holder: Holder[C],
        drain: Drain,
        feed: Feed,
        reporter: Reporter[C],
        sent: SentMoves,
        *,
        close_deadline_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._holder = holder
        self._drain = drain
        self._feed = feed
        self._reporter = reporter
        self._sent = sent
        self._close_deadline_s = close_deadline_s
        self._clock = clock

    async def drain(self, within_s: float) -> End:
        """Drain within `within_s`. Return the reason when the member may stop."""
        now = self._clock()
        self._drain.begin_stop(within_s, now)
        self._reporter.poll()
        within_s = self._drain.left_s(now)
        conditions = ShutdownConditions(within_s, SPREAD_S + self._close_deadline_s + CLOSING_EXTRA_S, now)
        progress = Progress(self._holder.counts().open, now)
        logged_at = now
        _log.info("draining before the stop", connections=progress.left, within_s=round(within_s, 1))
        while True:
            others, takers, gateways = self._count_others()
            coming = max((gateway.coming.get(self._name, 0) for gateway in self._feed.live.values()), default=0)
            end = conditions.observe(
                now, left=progress.left, coming=coming, others=others, takers=takers, gateways=gateways
            )
            if end is not None:
                log = _log.info if end is End.EMPTY else _log.warning
                log(f"stopping: {end}", left=progress.left, moved=self._sent.total, cut=self._drain.closed)
                return end
            if now >= logged_at + LOGGED_S:
                logged_at = now
                _log_progress(progress, self._drain.left_s(now))
            await asyncio.sleep(TICK_S)
            now = self._clock()
            progress.observe(self._holder.counts().open, now)

    async def close_connections(self, within_s: float) -> None:
        """Close all connections in batches; cut those that have not ended after `within_s`."""
        deadline = self._clock() + within_s
        connections = self._holder.usable_connections()
        size = max(1, -(-len(connections) // BATCHES))
        for start in range(0, len(connections), size):
            for connection in connections[start : start + size]:
                self._holder.close_connection(connection, CloseCause.SHUTDOWN)
            await asyncio.sleep(min(BATCH_PAUSE_S, within_s / (2 * BATCHES)))
        await self._holder.cut_rest(max(0.0, deadline - self._clock()))

    def _count_others(self) -> tuple[int, int, int]:
        """Return the numbers of other nodes, of other nodes that accept connections, and of gateways, as gateways
        report.

        For a moment, a gateway that has not heard of the drain yet counts this node as accepting connections.
        """
        gateways = self._feed.live.values()
        others = max((gateway.nodes - 1 for gateway in gateways), default=0)
        takers = max((gateway.takers for gateway in gateways if gateway.nodes > 1), default=0)
        return others, takers, len(gateways)


def _log_progress(progress: Progress, left_s: float) -> None:
    eta_s = progress.eta_s
    _log.info(
        "draining", left=progress.left, gone=progress.gone, per_s=round(progress.per_s, 1),
        empty_in_s=None if eta_s is None else round(eta_s), deadline_in_s=round(left_s),
    )  # fmt: skip
