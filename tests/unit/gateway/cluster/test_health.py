"""Checks of a backend: when it falls and rises."""

import pytest

from ringway.gateway.cluster.health import BackendHealth, is_panic


def test_it_falls_and_rises_by_runs() -> None:
    health = BackendHealth(fall=2, rise=3)
    assert [health.count_check(passed) for passed in (False, True, False, False)] == [False, False, False, True]
    assert not health.up
    assert [health.count_check(passed) for passed in (True, True, False, True, True, True)] == [False] * 5 + [True]
    assert health.up


@pytest.mark.parametrize(
    ("up", "threshold", "panic"),
    [
        (0.0, 0.0, False),
        (0.0, 1.0, True),
        (0.1, 1.0, False),
        (4.9, 50.0, True),
        (5.0, 50.0, False),
        (9.9, 100.0, True),
        (10.0, 100.0, False),
    ],
)
def test_too_few_that_pass_are_a_panic(up: float, threshold: float, panic: bool) -> None:
    assert is_panic(up, 10.0, threshold) is panic
