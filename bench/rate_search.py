"""Search for the highest sustained rate, by trials: doubled until a trial fails, then bisected.

Pure: the caller asks for the next rate, makes a trial, and records the outcome, so that the trials of several searches
can take turns. A rate counts as failed only when `TRIES` trials of it have failed: a moment of other work on the
machine must not end a search.
"""

PRECISION = 1.1
"""The search ends when the lowest rate that failed is at most this many times the highest that passed."""

TRIES = 2
LEAST = 10.0
"""Rates below this are not tried: the search ends."""


class RateSearch:
    """One search, which begins at `first`."""

    def __init__(self, first: float) -> None:
        self.next_rate: float | None = first
        """The next rate to try; None when the search has ended."""
        self.highest = 0.0
        """The highest rate that has passed; 0 if no rate has passed."""
        self._failed: float | None = None
        self._tries = 0

    def record(self, passed: bool) -> None:
        """Record the outcome of a trial at `next_rate`, and choose the next rate."""
        assert self.next_rate is not None
        self._tries += 1
        if passed:
            self.highest = self.next_rate
        elif self._tries < TRIES:
            return
        else:
            self._failed = self.next_rate
        self._tries = 0
        self.next_rate = self._choose()

    def _choose(self) -> float | None:
        if self._failed is None:
            return self.highest * 2
        if self._failed <= max(self.highest * PRECISION, LEAST):
            return None
        return (self.highest + self._failed) / 2
