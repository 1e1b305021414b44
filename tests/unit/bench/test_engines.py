"""Evaluation of the trials in the comparison of engines."""

import pytest

from engines import medians, rotated
from engines_contender import Trial


def trial(achieved_per_s: float = 1000.0, lost: int = 0, p99_ms: float = 1.0) -> Trial:
    return Trial(1000.0, achieved_per_s, lost, (0.5, p99_ms), (0.1, 0.2), (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("made", "passed"),
    [
        (trial(), True),
        (trial(achieved_per_s=980.0, p99_ms=20.0), True),
        (trial(achieved_per_s=979.0), False),
        (trial(p99_ms=20.1), False),
        (trial(p99_ms=float("inf")), False),
        (trial(lost=1), False),
        (trial(lost=-1), False),
    ],
)
def test_a_trial_passes_where_all_arrive_in_time_at_the_rate(made: Trial, passed: bool) -> None:
    assert made.passed is passed


def test_each_is_first_once_in_as_many_turns() -> None:
    turns = [rotated("abc", turn) for turn in range(4)]
    assert ["".join(turn) for turn in turns] == ["abc", "bca", "cab", "abc"]


def test_medians_are_those_of_the_columns() -> None:
    assert medians([(1, 10), (3, 30), (2, 90)]) == [2, 30]
    assert medians([]) == []
