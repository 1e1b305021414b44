"""Age limits of connections: the fallback for clients that obey no move.

A client whose connection is closed at a certain age comes back and is placed anew: in the end the nodes are balanced
without an order. Two mistakes are to be avoided (tests/unit/core/test_age.py):

- connections that came together must not end together. The usual jitter of 10 % keeps a crowd together for ten
  rounds; ages are drawn from 0.5 to 1.5 times the limit, which dispels the crowd in the first round;
- a crowd that came back from a lost node would still leave its new node in one hump. During a storm of arrivals the
  first age is drawn from 0.1 to 1 times the limit: about the time that an old crowd has left at a random moment.
"""

from math import exp, floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

STORM_ABOVE = 3.0
"""Times the average rate of arrivals."""

STORM_MIN = 20
"""Arrivals of one second below which there is no storm, whatever the average is."""

_AVERAGE_S = 60.0


class Lives:
    """Draws the life of each connection. `now` is monotonic; `age_s` is the mean life."""

    __slots__ = ("_age_s", "_average", "_count", "_second")

    def __init__(self, age_s: float, now: float) -> None:
        self._age_s = age_s
        self._average = 0.0  # arrivals a second
        self._second = floor(now)
        self._count = 0  # arrivals in this second

    def draw(self, now: float, rng: "Random") -> float:
        """Return the life of a connection that has just come, in seconds."""
        self._arrived(now)
        if self._count > max(STORM_MIN, STORM_ABOVE * self._average):
            return rng.uniform(0.1 * self._age_s, self._age_s)
        return rng.uniform(0.5 * self._age_s, 1.5 * self._age_s)

    def _arrived(self, now: float) -> None:
        second = floor(now)
        passed = second - self._second
        if passed > 0:
            keep = exp(-1.0 / _AVERAGE_S)
            self._average = (self._average * keep + self._count * (1.0 - keep)) * keep ** (passed - 1)
            self._second = second
            self._count = 0
        self._count += 1
