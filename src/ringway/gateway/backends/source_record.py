"""Record of one source of backends: how much it offers, and how long it has not been readable."""


class SourceRecord:
    """The state of one source. Times are monotonic, in seconds."""

    __slots__ = ("_failing_since", "failures", "offered", "problem")

    def __init__(self) -> None:
        self.offered = 0
        """The number of backends that it has offered last."""
        self.problem = ""
        """The reason why it cannot be read; empty: it can be read."""
        self.failures = 0
        """The number of times that a problem began, or changed."""
        self._failing_since = 0.0

    def on_problem(self, problem: str, now: float) -> None:
        """Record a problem; an empty text ends it."""
        if problem and not self.problem:
            self._failing_since = now
        if problem and problem != self.problem:
            self.failures += 1
        self.problem = problem

    def stale_s(self, now: float) -> float:
        """Return the age of its last good list, if it cannot be read; 0 if it can be read."""
        return now - self._failing_since if self.problem else 0.0
