"""Rows of an outbox: their order, their outcome, and the partitions whose rows are next.

A row names a method of the server API. Publications of one channel follow each other, each after the one before was
accepted; publications of different channels run side by side, so that they share round trips to the engine. Every other
row runs alone, after all rows before it. So a row that must be repeated holds up the later rows of its channel, and all
rows behind its turn: nothing overtakes it that a subscriber could notice.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 5.0
"""Bounds of the pause before something is tried again; it doubles with each failure."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row of the table. `key` is the same whenever the row is read, and differs from those of all other rows."""

    id: int
    method: str
    payload: bytes
    key: str


class RowEnd(StrEnum):
    """How an attempt at a row ended."""

    DONE = "done"
    REJECTED = "rejected"  # it can never succeed
    REPEATED = "repeated"  # it may succeed later


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of one attempt at a row, and in words why it is not done."""

    end: RowEnd
    why: str = ""


DONE = RowOutcome(RowEnd.DONE)

Lane = list[OutboxRow]
"""Rows that follow each other."""

Turn = list[Lane]
"""Lanes that run side by side."""


def plan_turns(rows: Sequence[tuple[OutboxRow, str]], together_max: int) -> list[Turn]:
    """Return the turns of `rows`, which are in their order, each with the channel that it publishes to ('': none).

    A turn has at most `together_max` rows.
    """
    turns: list[Turn] = []
    lanes: dict[str, Lane] = {}
    size = 0
    for row, channel in rows:
        if not channel:
            turns.append([[row]])
            lanes = {}
            continue
        if not lanes or size >= together_max:
            lanes, size = {}, 0
            turns.append([])
        if channel not in lanes:
            lanes[channel] = []
            turns[-1].append(lanes[channel])
        lanes[channel].append(row)
        size += 1
    return turns


def retry_pause_s(attempts: int, dice: float) -> float:
    """Return the pause after `attempts` failures in a row; `dice`, from 0 to 1, keeps nodes from coming together."""
    longest = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(attempts, 16))
    return longest * (0.5 + dice / 2)


class ReadyPartitions:
    """The partitions that may have rows, in the order in which they were found. `now` is monotonic.

    A partition is worked on by one worker at a time. If it is found again meanwhile, it is ready again afterwards.
    """

    def __init__(self) -> None:
        self._ready: deque[int] = deque()
        self._waiting: set[int] = set()
        self._worked: set[int] = set()
        self._again: set[int] = set()
        self._held_until: dict[int, float] = {}

    def add(self, partition: int, now: float) -> None:
        """Note that a partition may have rows; nothing while it is held back."""
        if self._held_until.get(partition, now) > now:
            return
        self._held_until.pop(partition, None)
        if partition in self._worked:
            self._again.add(partition)
        elif partition not in self._waiting:
            self._waiting.add(partition)
            self._ready.append(partition)

    def take_next(self) -> int | None:
        """Return the partition to work on now; None if there is none."""
        if not self._ready:
            return None
        partition = self._ready.popleft()
        self._waiting.discard(partition)
        self._worked.add(partition)
        return partition

    def finish(self, partition: int, now: float, *, has_more: bool = False, hold_s: float = 0.0) -> None:
        """End the work on a partition: it has more rows, or it is held back for `hold_s` seconds."""
        self._worked.discard(partition)
        found_again = partition in self._again
        self._again.discard(partition)
        if hold_s > 0:
            self._held_until[partition] = now + hold_s
        elif has_more or found_again:
            self.add(partition, now)
