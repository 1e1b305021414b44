"""Journal of a balancer: an entry for each balance that was begun, with its inputs, reasons and outcome.

A plan is made anew each second, so an entry is not a plan but what became of one: it is begun by the first plan that
moves anybody, and ended by the first that does not, by another cause or policy, by a change of members, by the guard,
or with the leadership. Bounded: the oldest entries fall out.
"""

from collections import deque
from dataclasses import dataclass

from ringway.core.balance.plan import Plan
from ringway.protocol.control import Decision
from ringway.protocol.order import QuotaRow
from ringway.types import NodeName

ENTRIES_MAX = 200

DONE = "done"
SUPERSEDED = "superseded"
LEADERSHIP_LOST = "leadership lost"
UNDER_WAY = "under way"


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


class Journal:
    """The decisions of the balancer of one gateway. `now` is monotonic, `wall` Unix time."""

    def __init__(self, gateway: str, entries_max: int = ENTRIES_MAX) -> None:
        self._gateway = NodeName(gateway)
        self._entries: deque[_Entry] = deque(maxlen=entries_max)
        self._count = 0
        self.balance_s = 0.0
        """How long the last balance took that came to its end."""

    @property
    def cause(self) -> str:
        """The cause of the balance under way; empty if there is none."""
        entry = self._current
        return entry.plan.cause if entry else ""

    def begin(self, plan: Plan, policy: str, now: float, wall: float) -> None:
        """Write down that a balance begins, or that one of the same cause and policy goes on with `plan`."""
        entry = self._current
        if entry and (entry.plan.cause, entry.policy) == (plan.cause, policy):
            entry.planned = max(entry.planned, entry.ordered + plan.moves)
            return
        self.end_balance(SUPERSEDED, now)
        self._count += 1
        self._entries.append(_Entry(self._count, plan, policy, wall, now, plan.moves))

    def ordered(self, count: int) -> None:
        """Count moves that were ordered for the balance under way."""
        entry = self._current
        if entry:
            entry.ordered += count

    def end_balance(self, outcome: str, now: float) -> None:
        """Write down how the balance under way has ended; nothing if there is none."""
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
            outcome=entry.outcome,
        )
