"""Leading the clients away before the node stops: what SIGTERM begins (`core.departure` says when it is over).

The node drains by its own deadline. It says so in a report at once, so that gateways send nobody any more and the
leading balancer paces the moves; at the deadline it closes whoever is left (`drain`).
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from ringway.core.departure import Departure, End
from ringway.core.membership import TICK_S
from ringway.core.progress import Progress
from ringway.member.drain import SPREAD_S
from ringway.types import NodeState, Role

if TYPE_CHECKING:
    from ringway.member.drain import Drain
    from ringway.member.feed import Feed
    from ringway.member.reporter import Reporter
    from ringway.node.shared import Shared

TOLD_S = 5.0
"""How often the log says how far it is."""

CLOSING_EXTRA_S = 0.5

_log = structlog.get_logger()


async def depart(shared: "Shared", feed: "Feed", drain: "Drain", reporter: "Reporter") -> End:
    """Drain within the node's `drain_within_s`; return when the node may stop, and why it may."""
    config = shared.config
    now = shared.clock()
    drain.stop(config.drain_within_s, now)
    reporter.poll()
    within_s = drain.left_s(now)
    departure = Departure(within_s, SPREAD_S + config.close_deadline_s + CLOSING_EXTRA_S, now)
    progress = Progress(_left(shared), now)
    told_at = now
    _log.info("draining before the stop", connections=progress.left, within_s=round(within_s, 1))
    while True:
        takers, gateways = _others(feed, shared)
        coming = sum(report.reserved.get(shared.name, 0) for report in feed.live.values())
        end = departure.look(now, left=progress.left, coming=coming, takers=takers, gateways=gateways)
        if end is not None:
            tell = _log.info if end is End.EMPTY else _log.warning
            tell(f"stopping: {end}", left=progress.left, moved=shared.stats.moves, cut=shared.stats.drained)
            return end
        if now >= told_at + TOLD_S:
            told_at = now
            _tell(progress, drain.left_s(now))
        await asyncio.sleep(TICK_S)
        now = shared.clock()
        progress.look(_left(shared), now)


def _left(shared: "Shared") -> int:
    """Open connections, those that are being closed too, and handshakes."""
    return len(shared.roster) + shared.gate.opening


def _others(feed: "Feed", shared: "Shared") -> tuple[int, int]:
    """How many other nodes take connections, and how many gateways there are."""
    takers = gateways = 0
    for report in feed.live.values():
        if report.role is Role.GATEWAY:
            gateways += 1
        elif report.name != shared.name and report.state is NodeState.ACTIVE and report.weight > 0:
            takers += not report.connections_max or report.connections < report.connections_max
    return takers, gateways


def _tell(progress: Progress, left_s: float) -> None:
    eta_s = progress.eta_s
    _log.info(
        "draining", left=progress.left, gone=progress.gone, per_s=round(progress.per_s, 1),
        empty_in_s=None if eta_s is None else round(eta_s), deadline_in_s=round(left_s),
    )  # fmt: skip
