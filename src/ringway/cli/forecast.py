"""Forecast of a rolling restart, the moves it would cost, as a text: `ringway roll --dry-run`."""

import math
from collections.abc import Sequence

from ringway.app.visible import visible
from ringway.cli.cluster import ANSWER_S
from ringway.cli.counted import counted, verb
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.drain import START_S, even_pace
from ringway.core.balance.restart import Restart, foresee, moves_per_client
from ringway.core.balance.share import NodeSnapshot
from ringway.errors import NoAnswer, RingwayError
from ringway.member.feed import Feed
from ringway.ports import Engine
from ringway.protocol.order import BALANCER, Rebalance, decode_plan_answer, encode
from ringway.protocol.report import Report
from ringway.types import NodeName, NodeState, Role

TARGETS_SHOWN = 4


async def forecast(
    engine: Engine, members: Feed, names: Sequence[NodeName], balance: BalanceConfig, within_s: float
) -> str:
    """Return what restarting `names` would do. Raise `RingwayError` where it could not be done."""
    try:
        plan = decode_plan_answer(await engine.bus.call(BALANCER, encode(Rebalance(dry_run=True)), timeout_s=ANSWER_S))
    except NoAnswer:
        raise RingwayError("no balancer answers: it runs in the gateways, and paces all drains") from None
    standings = [_standing(report) for report in members.live.values() if report.role is Role.NODE]
    steps = foresee(standings, names, balance)
    seconds = [_seconds(step, within_s, plan.moves_per_s, balance) for step in steps]
    lines = [_line(index, step, took) for index, (step, took) in enumerate(zip(steps, seconds, strict=True), start=1)]
    moves = f"{moves_per_client(steps, standings):.2f} moves for each client"
    lines.append(f"{len(steps)} restarts, {moves}; the drains take about {sum(seconds):,.0f} s together")
    if plan.frozen:
        lines.append(f"moves are frozen now: {plan.frozen}")
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


def _seconds(step: Restart, within_s: float, moves_per_s: float, balance: BalanceConfig) -> float:
    if not step.connections:
        return 0.0
    if within_s:
        return even_pace(step.connections, within_s, balance.moves_per_s_min)[1]
    return START_S + step.connections / max(moves_per_s, balance.moves_per_s_min)


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
