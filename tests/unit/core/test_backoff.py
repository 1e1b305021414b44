"""Backoff with full jitter."""

from itertools import pairwise

import pytest

from ringway.core.backoff import CAP_S, next_delay_s
from sample import rng


@pytest.mark.parametrize("attempt", range(8))
def test_a_delay_is_drawn_from_the_whole_interval(attempt: int) -> None:
    chance = rng()
    limit = min(CAP_S, 0.5 * 2**attempt)
    delays = [next_delay_s(attempt, chance) for _ in range(2000)]
    assert 0 <= min(delays) < 0.01 * limit
    assert 0.99 * limit < max(delays) <= limit
    assert sum(delays) / len(delays) == pytest.approx(limit / 2, rel=0.06)


def test_the_first_retry_is_jittered_too() -> None:
    chance = rng()
    assert len({next_delay_s(0, chance) for _ in range(100)}) == 100


def test_the_interval_doubles_up_to_the_cap() -> None:
    class Longest:
        def uniform(self, low: float, high: float) -> float:
            return high

    longest = [next_delay_s(attempt, Longest(), base_s=1.0, cap_s=8.0) for attempt in range(6)]  # type: ignore[arg-type]
    assert longest == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert all(before <= after for before, after in pairwise(longest))


def test_a_client_that_tries_for_days_does_not_overflow() -> None:
    assert 0 <= next_delay_s(100_000, rng()) <= CAP_S
