"""Reporting: when a member sends its next report.

A member reports at intervals, jittered so that members do not report in step. It reports early when others decide by
something that has changed, but never sooner than `EARLY_S` after the last report: a crowd that arrives within a second
costs five reports, not one for each client.
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

_JITTER = 0.2
_STEP_S = 1e-6  # times that were added up in steps may miss the pause by this

_CONNECTIONS_SHARE = 0.01
_CONNECTIONS_MIN = 5
_PLACES_PARTS = 32
_PLACES_MIN = 8


def next_pause_s(interval_s: float, rng: "Random") -> float:
    """Return the pause until the next report that is not early: `interval_s`, jittered by 20 %."""
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
) -> bool:
    """True if a node differs so much from its `last` report that it should report early.

    Connections count from a hundredth of those reported on, and from 5 on.
    """
    return (
        abs(connections - last.connections) >= max(_CONNECTIONS_MIN, _CONNECTIONS_SHARE * last.connections)
        or state is not last.state
        or drains_by_deadline is not bool(last.drain_left_s)
        or avoid != last.drain_avoid
        or engine_up is not last.engine_up
        or moved != last.moved
    )


def places_have_changed(reported: Mapping[NodeName, int], held: Mapping[NodeName, int]) -> bool:
    """True if a gateway should report early, since the places that it holds are not those that it reported.

    They count from a thirty-second part of those reported on, and from 8 on. Reports of nodes that are late keep many
    places held; with an eighth part, gateways heard of each other's places so seldom that four of them brought a node
    twice its share of a second's arrivals (tests/simulation).
    """
    changed = sum(abs(held.get(name, 0) - reported.get(name, 0)) for name in held.keys() | reported.keys())
    return changed >= max(_PLACES_MIN, sum(reported.values()) // _PLACES_PARTS)


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
        """True if to report now; `has_news` makes an early report."""
        return now >= self._due_at or (has_news and self.may_report(now))

    def on_report(self, now: float, pause_s: float) -> None:
        """Note a report; the next one is due after `pause_s` (`next_pause_s`)."""
        self._due_at = now + pause_s
        self._early_at = now + EARLY_S
