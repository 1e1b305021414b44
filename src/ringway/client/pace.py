"""Pace of followed moves: a server that moves a client again and again does not set the speed. Pure.

A few moves are followed at once, for a rolling restart moves a client some times in a row. Beyond that a move is
followed after a pause with full jitter that doubles, and in the end not at all: the client reconnects as after any
other loss, by way of a gateway and with pauses of its own.
"""

from typing import TYPE_CHECKING

from ringway.core.backoff import next_delay_s
from ringway.core.rate import TokenBucket

if TYPE_CHECKING:
    from random import Random

PAUSES_MAX = 4
"""Moves that are followed after a pause, in a row: the next is not."""

PAUSE_S_MAX = 4.0
"""No pause is drawn from beyond this: the ticket must be good after it."""

EARN_S = 5.0
"""How long it takes until one more move may be followed at once."""


class MovePace:
    """How soon the next move is followed. `burst`: how many are at once. `now` is monotonic."""

    def __init__(self, burst: int, now: float) -> None:
        self._bucket = TokenBucket(1.0 / EARN_S, burst, now)
        self._paused = 0

    def next_pause_s(self, now: float, rng: "Random") -> float | None:
        """Return how long to pause before a move is followed; None if it is not to be."""
        if self._bucket.take_tokens(now):
            self._paused = 0
            return 0.0
        if self._paused == PAUSES_MAX:
            return None
        self._paused += 1
        return next_delay_s(self._paused - 1, rng, cap_s=PAUSE_S_MAX)
