"""Census of the nodes that answer a question to all: how many answers to wait for.

No node hears the other nodes. Gateways report how many nodes they hear, and nodes that answered lately are known. If
fewer answer within the deadline, their number counts for a while: a node has gone, or a report was wrong. If nothing is
known, the deadline is waited for; so it is from time to time where no gateway reports, since nodes may have come.
"""

from collections.abc import Iterable

TRUST_S = 10.0
"""The time for which the number of answers at a deadline counts more than reports."""

FULL_S = 60.0
"""Without reports, the time after which a deadline is waited for again."""


class Census:
    """The nodes that answer, in the view of one node. Times are of one monotonic clock, in seconds."""

    __slots__ = ("_full_at", "_known")

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._full_at: float | None = None  # the end of the last wait that a deadline ended

    def expected(self, reported: int, now: float) -> int:
        """Return the number of answers to wait for, if gateways report so many nodes; 0: all until the deadline."""
        since = FULL_S if self._full_at is None else now - self._full_at
        if since < TRUST_S:
            return len(self._known)
        if reported > 0:
            return max(reported, len(self._known))
        return len(self._known) if since < FULL_S else 0

    def on_answers(self, members: Iterable[str], expected: int, now: float) -> None:
        """Record the nodes that answered a question for which `expected` answers were awaited."""
        answered = frozenset(members)
        if 0 < expected <= len(answered):
            self._known |= answered
        else:
            self._known, self._full_at = answered, now
