"""The speed of a drain, and its expected end."""

import pytest

from ringway.core.progress import WINDOW_S, Progress


def test_the_rate_and_the_end_follow_from_what_left() -> None:
    progress = Progress(100, 0.0)
    for second in range(1, 6):
        progress.observe(100 - 10 * second, float(second))
    assert (progress.gone, progress.left) == (50, 50)
    assert progress.per_s == pytest.approx(10.0)
    assert progress.eta_s == pytest.approx(5.0)


def test_one_that_stands_still_shows_it() -> None:
    progress = Progress(100, 0.0)
    progress.observe(50, 1.0)
    for second in range(2, 12):
        progress.observe(50, float(second))
    assert progress.per_s == 0.0
    assert progress.eta_s is None


def test_only_the_last_seconds_count() -> None:
    progress = Progress(1000, 0.0)
    progress.observe(100, 1.0)
    for tenth in range(11, 200):
        progress.observe(100 - tenth // 4, tenth / 10)
    assert progress.per_s == pytest.approx(2.5, rel=0.1)
    assert WINDOW_S < 10


def test_late_comers_are_no_step_back() -> None:
    progress = Progress(10, 0.0)
    progress.observe(14, 1.0)
    assert (progress.gone, progress.per_s, progress.eta_s) == (0, 0.0, None)
    progress.observe(0, 2.0)
    assert (progress.gone, progress.eta_s) == (14, 0.0)
