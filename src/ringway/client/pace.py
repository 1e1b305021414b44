"""Pace of followed moves: a bound for a server that moves a client again and again. Pure.

A few moves are followed at once, since a rolling restart moves a client some times in a row. Beyond that a move is
followed after a pause with full jitter that doubles. After `PAUSES_MAX` such moves the next one is not followed: the
client reconnects as after any loss, through a gateway and with pauses of its own.
"""

from typing import TYPE_CHECKING

from ringway.core.backoff import next_delay_s
from ringway.core.rate import TokenBucket

if TYPE_CHECKING:
    from random import Random

PAUSES_MAX = 4
"""The most moves in a row that are followed after a pause."""

PAUSE_S_MAX = 4.0
"""The longest pause: the ticket must be valid after it."""

EARN_S = 5.0
"""The time after which one more move may be followed at once."""


class MovePace:
    """The pace of one client. `burst`: the moves that are followed at once. `now` is monotonic."""

    def __init__(self, burst: int, now: float) -> None:
        self._bucket = TokenBucket(1.0 / EARN_S, burst, now)
        self._paused = 0

    def next_pause_s(self, now: float, rng: "Random") -> float | None:
        """Return the pause before the next move is followed; None if it must not be followed."""
        if self._bucket.take_tokens(now):
            self._paused = 0
            return 0.0
        if self._paused == PAUSES_MAX:
            return None
        self._paused += 1
        return next_delay_s(self._paused - 1, rng, cap_s=PAUSE_S_MAX)
