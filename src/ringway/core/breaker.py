"""Circuit breaker: calls to a peer that does not answer are refused at once, instead of being waited for.

    CLOSED    calls go through. Of the last `2 * failures_max` calls, `failures_max` failed: OPEN
    OPEN      calls are refused for `open_s`; the first call after that is a probe: PROBING
    PROBING   other calls are refused. The probe succeeded: CLOSED. It failed: OPEN

A result counts only in the phase in which its call began: the many calls that were under way when it opened neither
open it longer nor close it. With `failures_max` 0 it never opens. The pattern is M. Nygard's ("Release It!", 2007).
"""

import enum
from collections import deque


class BreakerState(enum.Enum):
    """The state of a breaker."""

    CLOSED = enum.auto()
    OPEN = enum.auto()
    PROBING = enum.auto()


class Breaker:
    """A breaker. `now` is monotonic, in seconds."""

    __slots__ = ("_failed", "_failures_max", "_open_s", "_phase", "_results", "opened_at", "state")

    def __init__(self, failures_max: int, open_s: float) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._results: deque[bool] = deque(maxlen=max(1, 2 * failures_max))  # True: failed
        self._failed = 0  # of these
        self._phase = 1
        self.opened_at = 0.0
        self.state = BreakerState.CLOSED

    def refuses(self, now: float) -> bool:
        """True if `admit` would refuse a call now."""
        if self.state is BreakerState.OPEN:
            return now < self.opened_at + self._open_s
        return self.state is BreakerState.PROBING

    def admit(self, now: float) -> int:
        """Return the phase of a call that begins now; 0 if it is refused. Report its result with that phase."""
        if self.refuses(now):
            return 0
        if self.state is BreakerState.OPEN:
            self._turn(BreakerState.PROBING)
        return self._phase

    def on_result(self, phase: int, now: float, *, failed: bool) -> None:
        """Record the result of a call that was admitted in `phase`."""
        if phase != self._phase:
            return
        if self.state is BreakerState.PROBING:
            self.opened_at = now if failed else self.opened_at
            self._turn(BreakerState.OPEN if failed else BreakerState.CLOSED)
            return
        if len(self._results) == self._results.maxlen:
            self._failed -= self._results[0]
        self._results.append(failed)
        self._failed += failed
        if self._failures_max and self._failed >= self._failures_max:
            self.opened_at = now
            self._turn(BreakerState.OPEN)

    def on_given_up(self, phase: int) -> None:
        """Forget a call that ended without a result: if it was the probe, the next call is one."""
        if phase == self._phase and self.state is BreakerState.PROBING:
            self._turn(BreakerState.OPEN)

    def _turn(self, state: BreakerState) -> None:
        self.state = state
        self._phase += 1
        self._results.clear()
        self._failed = 0
