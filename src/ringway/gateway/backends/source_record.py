"""Record of one source of backends: what it offers, and how long it has not been readable."""

from collections.abc import Mapping
from typing import Protocol

from ringway.protocol.backend import Backend
from ringway.types import NodeName


class OfferedBackend(Protocol):
    """The offer of a source for one backend (`sources.sink.Offer`)."""

    @property
    def backend(self) -> Backend:
        """The backend as it is described."""
        ...

    @property
    def draining(self) -> bool:
        """True if it gets no newcomers, and its connections are moved away."""
        ...

    @property
    def within_s(self) -> float:
        """The seconds in which it drains; 0 without a deadline."""
        ...

    @property
    def utilisation(self) -> Mapping[str, float] | None:
        """The server's own measures, by resource; None if it reports none."""
        ...

    @property
    def lease_s(self) -> float:
        """The lease by which the server registered here; 0 if it did not."""
        ...


class SourceRecord:
    """The state of one source. Times are monotonic, in seconds."""

    __slots__ = ("_failing_since", "failures", "lost", "offers", "problem")

    def __init__(self) -> None:
        self.offers: dict[NodeName, OfferedBackend] = {}
        """The backends that it has offered last."""
        self.lost: set[NodeName] = set()
        """The backends that it has lost, and that are not handled yet."""
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
