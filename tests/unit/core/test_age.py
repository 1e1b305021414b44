from collections import Counter
from random import Random

import pytest

from ringway.core.age import STORM_MIN, Lives

AGE = 3600.0


def quiet(rate: int, seconds: int = 600) -> tuple[Lives, Random]:
    """Lives after some time at so many arrivals a second."""
    lives, rng = Lives(AGE, 0.0), Random(1)
    for second in range(seconds):
        for number in range(rate):
            lives.draw(second + number / rate, rng)
    return lives, rng


def test_lives_are_spread_evenly_about_their_mean() -> None:
    lives, rng = quiet(5)
    drawn = [lives.draw(600.0 + number / 5, rng) for number in range(5000)]
    assert min(drawn) >= 0.5 * AGE
    assert max(drawn) <= 1.5 * AGE
    assert sum(drawn) / len(drawn) == pytest.approx(AGE, rel=0.02)


def test_in_a_storm_lives_are_drawn_from_what_an_old_crowd_has_left() -> None:
    lives, rng = quiet(20)
    drawn = [lives.draw(600.0 + number / 1000, rng) for number in range(1000)]
    assert all(life >= 0.5 * AGE for life in drawn[:60]), "up to three times the average is no storm"
    assert all(0.1 * AGE <= life <= AGE for life in drawn[62:])
    assert min(drawn[62:]) < 0.15 * AGE


def test_a_few_at_once_are_no_storm() -> None:
    lives, rng = quiet(0)
    assert all(lives.draw(700.0, rng) >= 0.5 * AGE for _ in range(STORM_MIN))


def test_what_goes_on_is_no_storm_any_more() -> None:
    lives, rng = quiet(100, seconds=200)
    assert all(lives.draw(200.0 + number / 100, rng) >= 0.5 * AGE for number in range(1000))


def test_a_long_silence_is_forgotten_in_one_step() -> None:
    lives, rng = quiet(50)
    assert lives.draw(1e9, rng) >= 0.5 * AGE
    drawn = [lives.draw(1e9, rng) for _ in range(200)]
    assert min(drawn) < 0.5 * AGE


def test_a_thousand_that_came_together_do_not_end_together() -> None:
    lives, rng = quiet(1)
    ends = Counter(int(lives.draw(600.0 + number / 1000, rng)) // 60 for number in range(1000))
    assert max(ends.values()) < 50, "of 1,000 in any minute; a jitter of 10 % would give 140"
    assert len(ends) > 50
