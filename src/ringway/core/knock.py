"""Schedule of knocks: the URLs at which a gateway knocks next, and the times of repetitions (PROTOCOL.md P-8.11).

A node is knocked at once for each incarnation and URL. A knock that fails is repeated, with backoff and full jitter.
At most `KNOCKS_MAX` knocks are under way, of them at most `REPEATS_MAX` repetitions: nodes that cannot be reached use
no slot that a new node needs. The first knock has little time, so that silent URLs use slots for a moment only; each
repetition has twice as much as the knock before it.
"""

import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ringway.core.backoff import next_delay_s
from ringway.types import Incarnation, NodeName

if TYPE_CHECKING:
    from random import Random

KNOCKS_MAX = 16
REPEATS_MAX = 8

FIRST_WITHIN_S = 1.0
"""The deadline of the first knock."""

PAUSE_CAP_S = 10.0
"""The longest pause between two knocks at one node."""

UNREACHABLE = "unreachable"
"""The kind of a failure that is logged at its repetition only: the node may just begin or end."""


class Knock(NamedTuple):
    """The node that is expected at a URL."""

    name: NodeName
    incarnation: Incarnation
    url: str


class Attempt(NamedTuple):
    """A knock that is to be made now; `number` is 0 for the first."""

    knock: Knock
    number: int

    def within_s(self, longest_s: float) -> float:
        """Return its deadline, at most `longest_s`."""
        return min(longest_s, FIRST_WITHIN_S * 2.0 ** min(self.number, 8))


class _Wanted:
    """A knock that was not answered yet: its number of failures, the time of its repetition, and the logged kinds."""

    __slots__ = ("due", "failures", "knock", "told")

    def __init__(self, knock: Knock) -> None:
        self.knock = knock
        self.failures = 0
        self.due = 0.0
        self.told: set[str] = set()


class KnockSchedule:
    """The knocks of one gateway. `now` is monotonic."""

    def __init__(self, rng: "Random") -> None:
        self._rng = rng
        self._wanted: dict[NodeName, _Wanted] = {}
        self._first: deque[Knock] = deque()
        self._repeats: list[tuple[float, Knock]] = []  # a heap by the time at which they are due
        self._first_under_way = 0
        self._repeats_under_way = 0

    def __len__(self) -> int:
        """The number of nodes that have not answered."""
        return len(self._wanted)

    def want(self, knock: Knock) -> None:
        """Schedule `knock` for the next free slot; do nothing if it is scheduled already."""
        if self._find(knock) is None:
            self._wanted[knock.name] = _Wanted(knock)
            self._first.append(knock)

    def wants(self, knock: Knock) -> bool:
        """True if `knock` was not answered yet."""
        return self._find(knock) is not None

    def forget(self, name: NodeName) -> None:
        """Stop knocking at the node `name`."""
        self._wanted.pop(name, None)

    def due(self, now: float) -> list[Attempt]:
        """Return the knocks to make now; each ends with `answered` or `failed`."""
        attempts: list[Attempt] = []
        while self._first and self.under_way < KNOCKS_MAX:
            knock = self._first.popleft()
            if self._find(knock, failures=0) is not None:
                self._first_under_way += 1
                attempts.append(Attempt(knock, 0))
        while self._repeats and self._repeats[0][0] <= now and self._has_room():
            due, knock = heapq.heappop(self._repeats)
            wanted = self._find(knock)
            if wanted is not None and wanted.due == due:
                self._repeats_under_way += 1
                attempts.append(Attempt(knock, wanted.failures))
        return attempts

    def next_due(self) -> float | None:
        """Return the time of the next repetition; None if there is no repetition, or a present knock must end first."""
        return self._repeats[0][0] if self._repeats and self._has_room() else None

    def answered(self, attempt: Attempt) -> bool:
        """Record that the node has answered; return False if the knock is not wanted any more."""
        self._end(attempt)
        if self._find(attempt.knock, failures=attempt.number) is None:
            return False
        del self._wanted[attempt.knock.name]
        return True

    def failed(self, attempt: Attempt, kind: str, now: float) -> bool:
        """Record that the knock failed, and repeat it later; return True if this `kind` of failure is to be logged now.

        Each kind is logged once.
        """
        self._end(attempt)
        knock = attempt.knock
        wanted = self._find(knock, failures=attempt.number)
        if wanted is None:
            return False
        wanted.due = now + next_delay_s(wanted.failures, self._rng, cap_s=PAUSE_CAP_S)
        wanted.failures += 1
        heapq.heappush(self._repeats, (wanted.due, knock))
        if kind in wanted.told or (kind == UNREACHABLE and wanted.failures < 2):
            return False
        wanted.told.add(kind)
        return True

    @property
    def under_way(self) -> int:
        """The number of knocks under way."""
        return self._first_under_way + self._repeats_under_way

    def _has_room(self) -> bool:
        return self._repeats_under_way < REPEATS_MAX and self.under_way < KNOCKS_MAX

    def _find(self, knock: Knock, *, failures: int | None = None) -> _Wanted | None:
        """Return the state of `knock` if it is wanted; with `failures`, only if it has failed so many times."""
        wanted = self._wanted.get(knock.name)
        if wanted is None or wanted.knock != knock or failures not in (None, wanted.failures):
            return None
        return wanted

    def _end(self, attempt: Attempt) -> None:
        if attempt.number:
            self._repeats_under_way -= 1
        else:
            self._first_under_way -= 1
