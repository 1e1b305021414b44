"""Drain by a deadline: the check that the deadline can be met, and the even pace that meets it.

A drain that begins too late fails at its end: the orchestrator kills the node with clients on it. So a deadline is
checked before it is accepted,

    needs = start + connections / safe rate / 0.9   <=   deadline

and refused with the time or the rate that would suffice. The safe rate is the planner's own (`pace`): no drain exceeds
it, unless an operator forces the drain. An accepted drain is paced evenly, to be done when 0.9 of the time is over; the
rest is for slow clients, and for a change of leader. No drain is slower than the smallest budget (`moves_per_s_min`),
so a few connections are not spread over minutes. The node reports the time that is left, so the next leader knows the
deadline; it does not know that the drain was forced, and uses the safe rate.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.pace import MoveLimits
from ringway.core.balance.plan import plan_by_load
from ringway.core.balance.share import NodeSnapshot
from ringway.core.load import NodeLoad
from ringway.protocol.order import DrainAnswer
from ringway.types import Incarnation, NodeName, NodeState

DONE_AT = 0.9
"""A drain is paced to be done after this part of its time."""

START_S = 2.0
"""The time from the operator's command to the first order: the node's next report, and the leader's next round."""

MOVED_S = 3.0
"""A deadline that differs from the known one by more than this is a new deadline."""


class Deadlines:
    """The deadlines of draining nodes. `now` is monotonic."""

    def __init__(self) -> None:
        self._known: dict[NodeName, tuple[Incarnation, float, float]] = {}  # incarnation, deadline, when to be done
        self._forced: dict[NodeName, float] = {}  # until when

    def observe(self, nodes: Iterable[NodeLoad], now: float) -> None:
        """Read the deadlines in the nodes' newest reports."""
        before, self._known = self._known, {}
        for node in nodes:
            if node.state is not NodeState.DRAINING or node.report is None:
                continue
            left = node.report.drain_left_s
            ends = node.heard_at + left
            known = before.get(node.name)
            if known is not None and known[0] != node.incarnation:
                known = None
            if left > 0 and (known is None or abs(known[1] - ends) > MOVED_S):
                known = (node.incarnation, ends, now + DONE_AT * max(0.0, ends - now))
            elif left == 0 and known is not None and known[1] > now + MOVED_S:
                known = None  # the deadline was withdrawn
            if known is not None:
                self._known[node.name] = known
        self._forced = {name: until for name, until in self._forced.items() if until > now}

    def force(self, node: NodeName, until: float) -> None:
        """Let the deadline of `node` override all limits until `until`."""
        self._forced[node] = until

    @property
    def known(self) -> bool:
        """True if a node drains by a deadline."""
        return bool(self._known)

    @property
    def forced(self) -> frozenset[NodeName]:
        """The nodes whose deadlines override all limits."""
        return frozenset(self._forced)

    def rates(
        self, standings: Iterable[NodeSnapshot], now: float, dt: float, least: float = 0.0
    ) -> dict[NodeName, float]:
        """The even rate, in moves a second, at which each node is empty in time; `least` if the even rate is lower."""
        return {
            node.name: max(least, node.movable / max(self._known[node.name][2] - now, dt))
            for node in standings
            if node.name in self._known
        }


def judge_drain(
    node: NodeName,
    within_s: float,
    standings: Sequence[NodeSnapshot],
    limits: MoveLimits,
    config: BalanceConfig,
    avoid: Collection[NodeName] = (),
) -> DrainAnswer:
    """Decide if `node` can be emptied within `within_s` (0: no deadline) at the safe rate, and return that rate.

    The nodes in `avoid` are drained next, so they get as few connections as possible (`roll`).
    """
    drained = [
        _as_drained(other) if other.name == node else replace(other, avoided=other.avoided or other.name in avoid)
        for other in standings
    ]
    count = sum(other.movable for other in drained if other.name == node)
    if not count:
        return DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)
    quotas = [quota for quota in plan_by_load(drained, config).quotas if quota.donor == node]
    placed = sum(quota.count for quota in quotas)
    if placed < count:
        room = f"room for {placed:,} of" if placed else "no room for"
        why = f"the other nodes have {room} the {count:,} connections of {node}; start another one with `ringway node`"
        return DrainAnswer(why=why, connections=count, moves_per_s=0.0, needs_s=0.0)
    rate = drain_rate(node, {quota.target: quota.count for quota in quotas}, limits)
    needs_s = START_S + count / rate / DONE_AT if rate > 0 else 0.0
    why = ""
    if within_s and rate <= 0:
        why = f"the other nodes are busy with clients that come by themselves, and take no moves from {node} now"
    elif within_s and needs_s > within_s:
        why = _why_not_within(node, count, within_s, rate, needs_s)
    elif within_s:
        rate, needs_s = even_pace(count, within_s, config.moves_per_s_min)
    return DrainAnswer(why=why, connections=count, moves_per_s=rate, needs_s=needs_s)


def _why_not_within(node: NodeName, count: int, within_s: float, rate: float, needs_s: float) -> str:
    """Return why `count` connections cannot leave in time at the safe `rate`, with what would suffice."""
    safe = f"{math.floor(rate):,}" if rate >= 1 else f"{rate:.2g}"  # rounded down: less than what would suffice
    connections = "1 connection" if count == 1 else f"{count:,} connections"
    why = (
        f"{connections} cannot leave {node} within {within_s:g} s: {safe} moves a second are safe, "
        f"which needs {math.ceil(needs_s)} s"
    )
    if within_s <= START_S:
        return f"{why} (a drain takes {START_S:g} s to begin, whatever the limits are); allow that"
    enough = math.ceil(count / (within_s - START_S) / DONE_AT)
    return f"{why}; allow that, or raise the limits to {enough:,} a second"


def drain_rate(node: NodeName, targets: Mapping[NodeName, int], limits: MoveLimits) -> float:
    """The moves a second at which `node` is drained, so many of its connections to each of `targets`.

    Each target gets its part of the moves, so the slowest one sets the pace of all.
    """
    placed = sum(targets.values())
    by_target = min((limits.to_target(name) * placed / count for name, count in targets.items()), default=math.inf)
    due = sum(rate for name, rate in limits.due.items() if name != node)
    return max(0.0, min(limits.total - due, limits.donor, by_target))


def even_pace(count: int, within_s: float, least: float) -> tuple[float, float]:
    """The moves a second of a drain by a deadline, `least` at least, and the time that it needs."""
    rate = max(least, count / (DONE_AT * within_s))
    return rate, count / rate


def _as_drained(node: NodeSnapshot) -> NodeSnapshot:
    """Return the node as it will be while it drains: clients that were moved there lately are moved on as well."""
    return replace(node, active=False, cooling=0)
