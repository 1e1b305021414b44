"""Reporting: the moment of a member's next report.

A member reports at intervals, jittered so that members do not report in step. It reports early if a fact has changed by
which other members decide, but never sooner than `EARLY_S` after the last report: a crowd that arrives within a second
costs five reports, not one report for each client.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ringway.protocol.report import Report
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from random import Random

REPORT_S = 1.0
"""The mean pause between two reports of a gateway, and the default of a node."""

EARLY_S = 0.2
"""The shortest pause between two reports."""

MEASURES_S = 5.0
"""The time for which a member repeats its measures, if they have not changed much: placement does not depend on
them."""

_SHARE_STEP = 0.1
_TIME_STEPS_S = {"handshake_p99_s": 0.02, "loop_lag_s": 0.01}
_TIME_PART = 0.25
_MEMORY_PART = 0.1

_JITTER = 0.2
_STEP_S = 1e-6  # the rounding error of times that were added up in steps

_CONNECTIONS_SHARE = 0.01
_CONNECTIONS_MIN = 5
_PLACES_PARTS = 32
_PLACES_MIN = 8


def next_pause_s(interval_s: float, rng: "Random") -> float:
    """Return the pause until the next regular report: `interval_s`, jittered by 20 %."""
    return interval_s * rng.uniform(1 - _JITTER, 1 + _JITTER)


def node_has_news(
    last: Report,
    *,
    connections: int,
    state: NodeState,
    drains_by_deadline: bool,
    avoid: tuple[NodeName, ...],
    moved: Mapping[NodeName, int],
    engine_up: bool,
    counted: str = "",
) -> bool:
    """True if a node's state differs from its `last` report so much that it should report early.

    A change of connections counts if it is at least a hundredth of the reported number, and at least 5.
    """
    return (
        abs(connections - last.connections) >= max(_CONNECTIONS_MIN, _CONNECTIONS_SHARE * last.connections)
        or state is not last.state
        or drains_by_deadline is not bool(last.drain_left_s)
        or avoid != last.drain_avoid
        or engine_up is not last.engine_up
        or moved != last.moved
        or counted != last.counted
    )


def places_have_changed(reported: Mapping[NodeName, int], held: Mapping[NodeName, int]) -> bool:
    """True if a gateway should report early, since its places differ from the reported places.

    A change counts if it is at least 1/32 of the reported number, and at least 8. While nodes' reports are late, many
    places are held. With 1/8, gateways heard of each other's places so seldom that four gateways together sent a node
    twice its share of a second's arrivals (tests/simulation).
    """
    changed = sum(abs(held.get(name, 0) - reported.get(name, 0)) for name in held.keys() | reported.keys())
    return changed >= max(_PLACES_MIN, sum(reported.values()) // _PLACES_PARTS)


def measures_have_changed(said: Report, report: Report) -> bool:
    """True if the measures of `report` differ so much from those that were `said` that they are to be told at once.

    A share counts if it has changed by 0.1; handshakes by 20 ms and a quarter, the loop's lag by 10 ms and a quarter,
    memory by a tenth.
    """
    if report.utilisation.keys() != said.utilisation.keys():
        return True
    shares = [(report.cpu, said.cpu), *((share, said.utilisation[name]) for name, share in report.utilisation.items())]
    times = ((step, getattr(said, name), getattr(report, name)) for name, step in _TIME_STEPS_S.items())
    return (
        any(abs(now - before) >= _SHARE_STEP for now, before in shares)
        or any(abs(now - before) >= max(step, _TIME_PART * before) for step, before, now in times)
        or abs(report.memory_bytes - said.memory_bytes) > _MEMORY_PART * said.memory_bytes
    )


class ReportSchedule:
    """The times of one member's reports; the first is due at once. `now` is monotonic."""

    __slots__ = ("_due_at", "_early_at")

    def __init__(self, now: float) -> None:
        self._due_at = now
        self._early_at = now

    def may_report(self, now: float) -> bool:
        """True if enough time has passed since the last report for an early one."""
        return now >= self._early_at - _STEP_S or now >= self._due_at

    def is_due(self, now: float, *, has_news: bool) -> bool:
        """True if a report is due now; with `has_news`, an early report."""
        return now >= self._due_at or (has_news and self.may_report(now))

    def on_report(self, now: float, pause_s: float) -> None:
        """Record a report; the next report is due after `pause_s` (`next_pause_s`)."""
        self._due_at = now + pause_s
        self._early_at = now + EARLY_S
