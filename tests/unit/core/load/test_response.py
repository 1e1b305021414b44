"""Peak-sensitive response times."""

import math

import pytest

from ringway.core.load.response import FAILED_S, FLOOR_S, TAU_S, Response


def observed(*samples: tuple[float, float]) -> Response:
    response = Response()
    for seconds, now in samples:
        response.observe(seconds, now)
    return response


def test_nothing_measured_counts_as_what_is_usual() -> None:
    assert not Response().known
    assert Response().mean_s(0.02, 5.0) == 0.02


def test_a_slower_answer_counts_at_once() -> None:
    assert observed((0.01, 0.0), (0.5, 0.1)).mean_s(1.0, 0.1) == 0.5


def test_a_quicker_answer_counts_by_and_by() -> None:
    response = observed((1.0, 0.0), (0.1, TAU_S))
    assert response.seen_s == pytest.approx(math.exp(-1) + 0.1 * (1 - math.exp(-1)))
    for second in range(60):
        response.observe(0.1, TAU_S + second)
    assert response.seen_s == pytest.approx(0.1, rel=0.05)


def test_below_a_millisecond_all_are_equal() -> None:
    assert observed((0.0001, 0.0)).mean_s(0.01, 0.0) == FLOOR_S


def test_a_failure_counts_as_a_very_slow_answer() -> None:
    response = observed((0.01, 0.0))
    response.failed(1.0)
    assert response.mean_s(0.01, 1.0) == FAILED_S


def test_an_old_peak_is_forgotten_towards_what_is_usual() -> None:
    """Nobody asks a node that looks slow; it must be asked again some time."""
    response = observed((5.0, 0.0))
    assert response.mean_s(0.01, TAU_S) == pytest.approx(0.01 + 4.99 * math.exp(-1))
    assert response.mean_s(0.01, 20 * TAU_S) == pytest.approx(0.01, rel=0.01)


def test_who_is_quicker_than_usual_stays_so() -> None:
    assert observed((0.005, 0.0)).mean_s(0.01, 1000.0) == 0.005


def test_a_clock_that_stands_still_divides_nothing_by_zero() -> None:
    assert observed((0.1, 1.0), (0.05, 1.0)).mean_s(0.01, 1.0) == 0.1


def test_the_age_is_that_of_the_last_sample() -> None:
    assert Response().age_s(5.0) == math.inf
    assert observed((0.1, 1.0), (0.05, 3.0)).age_s(5.0) == 2.0


def test_a_time_that_was_not_waited_for_counts_where_it_says_something() -> None:
    response = observed((0.1, 0.0))
    response.observe_at_least(0.05, 1.0)
    assert response.seen_s == 0.1
    response.observe_at_least(0.4, 1.0)
    assert response.seen_s == 0.4
