"""Journal of a balancer: an entry for each balance that was begun, with its inputs, reasons and outcome.

A plan is made anew each second, so an entry covers a series of plans. The first plan with moves begins it. The first
plan without moves ends it, or a new cause or policy, a change of members, the guard, or the end of the leadership.
Bounded: the oldest entries are dropped.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ringway.core.balance.plan import Plan
from ringway.core.move_outcomes import NO_OUTCOMES, MoveOutcomes, sum_outcomes
from ringway.protocol.control import Decision
from ringway.protocol.group import DEFAULT
from ringway.protocol.order import QuotaRow
from ringway.types import NodeName

ENTRIES_MAX = 200

DONE = "done"
SUPERSEDED = "superseded"
LEADERSHIP_LOST = "leadership lost"
UNDER_WAY = "under way"

LATE_S = 10.0
"""Outcomes that are reported so long after the end of a balance belong to it; a hand-over may take this long."""

BY_TARGET = ("handed_over", "apart")
"""The outcomes that only the target of a move counts; the donor may count the others."""

APART_AFTER_S = 12.0
"""A target waits for so long for the client of a session."""


@dataclass(slots=True)
class _Entry:
    number: int
    plan: Plan
    policy: str
    at: float  # Unix time
    began: float  # monotonic
    planned: int
    ordered: int = 0
    ended: float | None = None
    outcome: str = UNDER_WAY
    outcomes: MoveOutcomes = NO_OUTCOMES
    open: dict[NodeName, dict[NodeName, int]] = field(default_factory=dict)
    """The moves that were ordered and have no outcome, by target and donor."""

    @property
    def said(self) -> str:
        """The outcome, without `DONE` if clients were moved without their sessions."""
        return (self.outcomes.shortcomings or DONE) if self.outcome == DONE else self.outcome

    def ordered_move(self, donor: NodeName, target: NodeName, count: int) -> None:
        """Count moves that were ordered."""
        self.ordered += count
        by_donor = self.open.setdefault(target, {})
        by_donor[donor] = by_donor.get(donor, 0) + count

    def add(self, node: NodeName, name: str, count: int, *, as_donor: bool) -> int:
        """Add up to `count` outcomes of the kind `name` that `node` counted as target or as donor of moves that have
        none yet; return how many are left.
        """
        for target in [target for target, donors in self.open.items() if node in donors] if as_donor else [node]:
            donors = self.open.get(target, {})
            for donor in [node] if as_donor else list(donors):
                closed = min(count, donors[donor])
                count -= closed
                donors[donor] -= closed
                if not donors[donor]:
                    del donors[donor]
                self.outcomes = self.outcomes.plus(MoveOutcomes(**{name: closed}))
        return count


class Journal:
    """The decisions of the balancer of one gateway about one group. `now` is monotonic, `wall` Unix time.

    `numbers` counts the decisions; the groups of one gateway share it.
    """

    def __init__(
        self,
        gateway: str,
        entries_max: int = ENTRIES_MAX,
        *,
        group: str = DEFAULT,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._gateway = NodeName(gateway)
        self._group = group
        self._numbers = numbers if numbers is not None else itertools.count(1)
        self._entries: deque[_Entry] = deque(maxlen=entries_max)
        self.outcomes = NO_OUTCOMES
        """All outcomes since the start."""
        self.balance_s = 0.0
        """The duration of the last balance that was completed."""

    @property
    def cause(self) -> str:
        """The cause of the balance under way; empty if there is none."""
        entry = self._current
        return entry.plan.cause if entry else ""

    def begin(self, plan: Plan, policy: str, now: float, wall: float) -> None:
        """Record that a balance begins, or that a balance of the same cause and policy goes on with `plan`."""
        entry = self._current
        if entry and (entry.plan.cause, entry.policy) == (plan.cause, policy):
            entry.planned = max(entry.planned, entry.ordered + plan.moves)
            return
        if entry:
            new = f"its cause is {plan.cause} now" if entry.plan.cause != plan.cause else f"the policy is {policy} now"
            self.end_balance(f"{SUPERSEDED}: {new}", now)
        self._entries.append(_Entry(next(self._numbers), plan, policy, wall, now, plan.moves))

    def ordered(self, donor: NodeName, target: NodeName, count: int) -> None:
        """Count moves that were ordered for the balance under way."""
        entry = self._current
        if entry:
            entry.ordered_move(donor, target, count)

    def add_outcomes(self, new: Mapping[NodeName, MoveOutcomes], now: float) -> None:
        """Add the outcomes of moves that were reported since the last call, to the decisions that ordered them.

        `new` has them by the node that counted them, the target or the donor. Reports do not say which decision it was:
        it is the oldest that has moves without an outcome there. Of sessions that waited for their client until now, it
        began before that wait. Outcomes long after the end of a balance, or of moves that were not ordered, belong to
        none.
        """
        self.outcomes = sum_outcomes([self.outcomes, *new.values()])
        recent, before_wait = self._open_at(now), self._open_at(now - APART_AFTER_S)
        for node, outcomes in new.items():
            for name, count in outcomes._asdict().items():
                self._add(before_wait if name == "apart" else recent, node, name, count)

    @staticmethod
    def _add(entries: Sequence[_Entry], node: NodeName, name: str, count: int) -> None:
        for as_donor in (False,) if name in BY_TARGET else (False, True):
            for entry in entries:
                if not count:
                    return
                count = entry.add(node, name, count, as_donor=as_donor)

    def _open_at(self, at: float) -> list[_Entry]:
        """Return the entries to which moves may belong that were over at the time `at`, the oldest first."""
        return [
            entry
            for entry in self._entries
            if entry.open and entry.began <= at and (entry.ended is None or at <= entry.ended + LATE_S)
        ]

    def end_balance(self, outcome: str, now: float) -> None:
        """Record the outcome of the balance under way. It does nothing without a balance under way."""
        entry = self._current
        if entry is None:
            return
        entry.ended, entry.outcome = now, outcome
        if outcome == DONE:
            self.balance_s = now - entry.began

    def decisions(self, count: int, now: float) -> tuple[Decision, ...]:
        """Return the newest `count` entries, the newest first."""
        newest = list(self._entries)[::-1][: max(0, count)]
        return tuple(self._decision(entry, now) for entry in newest)

    @property
    def _current(self) -> _Entry | None:
        last = self._entries[-1] if self._entries else None
        return last if last and last.ended is None else None

    def _decision(self, entry: _Entry, now: float) -> Decision:
        plan = entry.plan
        return Decision(
            number=entry.number,
            gateway=self._gateway,
            group=self._group,
            at=entry.at,
            cause=plan.cause,
            reason=plan.reason,
            policy=entry.policy,
            load=dict(plan.load),
            fair={name: round(share, 1) for name, share in plan.fair.items()},
            quotas=tuple(QuotaRow(donor=one.donor, target=one.target, count=one.count) for one in plan.quotas),
            planned=entry.planned,
            ordered=entry.ordered,
            seconds=round((now if entry.ended is None else entry.ended) - entry.began, 1),
            outcome=entry.said,
            **entry.outcomes._asdict(),
        )
