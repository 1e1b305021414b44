"""Membership of the cluster: which members are alive, from the reports that were heard.

A member reports each second. It is gone when no report was heard for `lease_s` on this process's monotonic clock, or
when it withdraws. There is no stored state, so no stale state after a crash.

Two faults of the observer must not count as the death of all members, and freeze the leases instead: this process
itself was stopped (a tick comes far too late), or the engine is away, so that no report can be heard.

A third fault shows only in the reports: if half of the nodes or more fall silent together, a broken link between them
and this process is more likely than their death. They stay members for `MASS_LEASE_S`, and a node that is heard again
within that time was never gone (Eureka's self-preservation; but it ends, since half of a cluster can die). One node of
many, or one of two, leaves after the usual lease. Only nodes are counted, since no connections move when a gateway
dies. A member that withdraws does not count as silent.

If reports get lost on the way, silence is a weaker sign: with one of ten lost, two in a row are lost about once a
minute, which would be a false death. Gaps in the numbers of a member's reports show the loss. One gap may be an outage;
after `LOSSES` gaps the member has `LOSSY_LEASE_S` until a minute has passed without a gap.
"""

from collections import deque
from dataclasses import dataclass

from ringway.core.recent import Recent
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role

LEASE_S = 2.5
"""Reports come each second, 20 % jittered: one report may be lost. With `TICK_S`, death is detected within 3 s."""

MASS_LEASE_S = 6.0
"""The lease of nodes that fell silent together."""

MASS_SHARE = 0.5
MASS_NODES = 2

LOSSY_LEASE_S = 5.0
LOSSES = 2
LOSSY_FOR_S = 60.0

LATEST_S = 1.2
"""The longest time between two reports of a live member: after that a report is overdue."""

TICK_S = 0.25
"""The period of `tick`."""


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A member was heard for the first time, or for the first time under a new incarnation."""

    report: Report


@dataclass(slots=True)
class MemberReported:
    """A known member was heard again. Nobody changes it; it is not frozen, since that makes it slower to make."""

    report: Report


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member is gone; `cause` is "withdrawn", "silent" or "replaced"."""

    report: Report
    cause: str


MembershipEvent = MemberJoined | MemberReported | MemberLeft


class Membership:
    """The members in the view of one process. Its methods return the changes that reports and time bring."""

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self.members: dict[NodeName, Report] = {}
        self._lease_s = lease_s
        self._heard_at: dict[NodeName, float] = {}
        self._ticked_at: float | None = None
        self._away = False
        self._ticked_late = False
        self._held_until = 0.0
        self._gaps: dict[NodeName, deque[float]] = {}  # the times at which gaps in the numbers were found
        # Late reports of an incarnation that is over must not bring it back. Those of backends are made in this
        # process, so none is late; and an incarnation of theirs comes back with its URL.
        self._over: Recent[Incarnation, None] = Recent()
        # A report may be under way when its member withdraws; a member that goes on reporting has not left.
        self._withdrawn: Recent[Incarnation, int] = Recent()  # each with the number of its last report before
        # A silent member may only have been slow, and may come back until a new incarnation has its name.
        self._silent: Recent[NodeName, Incarnation] = Recent()

    def heard(self, report: Report, now: float) -> list[MembershipEvent]:
        """Process one report; `now` is monotonic."""
        if self.heard_again(report, now):
            return [MemberReported(report)]
        known = self.members.get(report.name)
        is_known = known is not None and known.incarnation == report.incarnation
        is_over = report.incarnation in self._over and not report.is_backend
        if is_over or self._is_late(report):
            return []
        if is_known:
            self._heard_at[report.name] = now
            return []
        events = self._end(report.name, "replaced") if known is not None else []
        self._succeed(report)
        self._keep(report, now)
        return [*events, MemberJoined(report)]

    def heard_again(self, report: Report, now: float) -> bool:
        """Process a report if it is the next one of a living member, as nearly all are; return False if it is not."""
        name = report.name
        known = self.members.get(name)
        if known is None or known.incarnation != report.incarnation or report.seq <= known.seq:
            return False
        if report.seq > known.seq + 1:
            self._gaps.setdefault(name, deque(maxlen=LOSSES)).append(now)
        self.members[name] = report
        self._heard_at[name] = now
        return True

    def withdrawn(self, name: NodeName) -> list[MembershipEvent]:
        """Process the withdrawal of a member."""
        return self._end(name, "withdrawn") if name in self.members else []

    def tick(self, now: float) -> list[MembershipEvent]:
        """Let time pass; call it every `TICK_S`."""
        gap = now - self._ticked_at - TICK_S if self._ticked_at is not None else 0.0
        self._ticked_at = now
        late = gap > TICK_S
        if late or self._away:
            for name in self._heard_at:
                self._heard_at[name] = now if self._away else min(now, self._heard_at[name] + gap)
        # After a stop, reports that wait in the sockets are read first. An observer that is always late judges as well.
        first_late, self._ticked_late = late and not self._ticked_late, late
        if first_late or self._away:
            return []
        self._gaps = {name: gaps for name, gaps in self._gaps.items() if now - gaps[-1] < LOSSY_FOR_S}
        if min(self._heard_at.values(), default=now) >= self._overdue_since(now):
            return []  # most of the time all were heard just now
        silent = [name for name, at in self._heard_at.items() if now - at > self._lease_of(name)]
        if self._many_are_overdue(now):
            self._held_until = now + LATEST_S + TICK_S  # after the stop each member has the time for one report
        if now < self._held_until:
            silent = [name for name in silent if not self._is_held(name, now)]
        return [event for name in silent for event in self._end(name, "silent")]

    def engine_up(self, up: bool, now: float) -> None:
        """Freeze all leases while the engine is away; they begin anew when it is back."""
        if up and self._away:
            self._heard_at = dict.fromkeys(self._heard_at, now)
        self._away = not up

    def _lease_of(self, name: NodeName) -> float:
        """The time for which the member `name` may be silent."""
        gaps = self._gaps.get(name, ())
        return max(self._lease_s, LOSSY_LEASE_S) if len(gaps) == LOSSES else self._lease_s

    def _many_are_overdue(self, now: float) -> bool:
        """True if so many nodes are silent that this process may be cut off itself.

        Nodes that fell silent together were last heard at different times: when the first node has been silent for a
        lease, the last node was heard up to a report later. So every node with an overdue report counts.
        """
        since = self._overdue_since(now)
        nodes = [name for name, report in self.members.items() if report.role is Role.NODE]
        overdue = sum(self._heard_at[name] < since for name in nodes)
        return overdue >= MASS_NODES and overdue >= MASS_SHARE * len(nodes)

    def _overdue_since(self, now: float) -> float:
        """The time before which a member that was heard last has an overdue report."""
        return now - (self._lease_s - min(LATEST_S, 0.5 * self._lease_s))

    def _is_held(self, name: NodeName, now: float) -> bool:
        return self.members[name].role is Role.NODE and now - self._heard_at[name] <= max(self._lease_s, MASS_LEASE_S)

    def _keep(self, report: Report, now: float) -> None:
        self.members[report.name] = report
        self._heard_at[report.name] = now

    def _end(self, name: NodeName, cause: str) -> list[MembershipEvent]:
        report = self.members.pop(name)
        del self._heard_at[name]
        if cause == "silent":
            self._silent.add(name, report.incarnation)
        elif cause == "withdrawn":
            self._withdrawn.add(report.incarnation, report.seq)
        else:
            self._over.add(report.incarnation, None)
        return [MemberLeft(report, cause)]

    def _is_late(self, report: Report) -> bool:
        """True if `report` was under way when its member withdrew: one may be. A member that sends more is alive."""
        seq = self._withdrawn.get(report.incarnation)
        return seq is not None and report.seq <= seq + 1

    def _succeed(self, report: Report) -> None:
        """Forget a silent member that had the name before, unless it is the same incarnation that came back."""
        before = self._silent.pop(report.name)
        if before is not None and before != report.incarnation:
            self._over.add(before, None)
