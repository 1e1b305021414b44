"""Forecast of a rolling restart, with the moves that it would cost, as a text: `ringway roll --dry-run`."""

import math
from collections.abc import Sequence

from ringway.app.visible import visible
from ringway.cli.cluster import Access
from ringway.cli.counted import counted, verb
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.drain import START_S, drain_rate, even_pace
from ringway.core.balance.pace import MoveLimits
from ringway.core.balance.restart import Restart, foresee, moves_per_client
from ringway.core.balance.share import NodeSnapshot
from ringway.member.feed import Feed
from ringway.member.leader_call import ASKS, call_plan
from ringway.protocol.report import Report, group_of
from ringway.types import NodeName, NodeState, Role

TARGETS_SHOWN = 4


async def forecast(
    engine: Access, members: Feed, names: Sequence[NodeName], balance: BalanceConfig, within_s: float
) -> str:
    """Return the effects of restarting `names`. Raise `RingwayError` if it could not be done."""
    nodes = [report for report in members.live.values() if report.role is Role.NODE]
    standings = {report.name: _standing(report) for report in nodes}
    found: dict[NodeName, tuple[Restart, float]] = {}
    frozen = ""
    for group in {group_of(report) for report in nodes if report.name in names}:
        plan = await call_plan(engine.bus, dry_run=True, group=group, asks=ASKS)
        frozen = frozen or plan.frozen
        inside = [report for report in nodes if group_of(report) == group]
        here = {report.name: standings[report.name] for report in inside}
        limits = _limits(inside, plan.moves_per_s, balance)
        for step in foresee(list(here.values()), [name for name in names if name in here], balance):
            found[step.node] = step, _seconds(step, within_s, limits, balance)
    steps = [found[name] for name in names if name in found]
    lines = [_line(index, step, took) for index, (step, took) in enumerate(steps, start=1)]
    moves = f"{moves_per_client([step for step, _ in steps], list(standings.values())):.2f} moves for each client"
    took_s = sum(seconds for _, seconds in steps)
    lines.append(f"{len(steps)} restarts, {moves}; the drains take about {took_s:,.0f} s together")
    if frozen:
        lines.append(f"moves are frozen now: {frozen}")
    return "\n".join(lines)


def _standing(report: Report) -> NodeSnapshot:
    room = report.connections_max - report.connections if report.connections_max else math.inf
    return NodeSnapshot(
        name=report.name,
        weight=report.weight,
        load=report.connections,
        movable=report.connections,
        active=report.state is NodeState.ACTIVE,
        cooling=report.cooling,
        room=max(0, room),
        zone=report.zone,
    )


def _limits(nodes: Sequence[Report], moves_per_s: float, balance: BalanceConfig) -> MoveLimits:
    """Return the pace of drains without newcomers: the budget, and the capacity of donors and targets."""
    targets = {report.name: balance.target_share * report.accept_per_s for report in nodes if report.accept_per_s > 0}
    return MoveLimits(total=moves_per_s, donor=balance.donor_per_s_max, targets=targets)


def _seconds(step: Restart, within_s: float, limits: MoveLimits, balance: BalanceConfig) -> float:
    if not step.connections:
        return 0.0
    if within_s:
        return even_pace(step.connections, within_s, balance.moves_per_s_min)[1]
    return START_S + step.connections / max(drain_rate(step.node, step.targets, limits), balance.moves_per_s_min)


def _line(index: int, step: Restart, seconds: float) -> str:
    largest = sorted(step.targets.items(), key=lambda item: (-item[1], item[0]))
    targets = [f"{count:,} to {visible(name)}" for name, count in largest[:TARGETS_SHOWN]]
    if len(largest) > TARGETS_SHOWN:
        rest = sum(count for _, count in largest[TARGETS_SHOWN:])
        targets.append(f"{rest:,} to {len(largest) - TARGETS_SHOWN} others")
    if step.homeless:
        targets.append(f"no room for {step.homeless:,}: start another node")
    leaving = f"{counted(step.connections, 'connection')} {verb(step.connections, 'leave')}"
    where = f" ({', '.join(targets)})" if targets else ""
    return f"{index}. {visible(step.node)}: {leaving} it in about {seconds:,.0f} s{where}"
