"""How a drain is shown."""

from ringway.cli.watch import pace_of
from ringway.core.progress import Progress


def progress(*left: int) -> Progress:
    shown = Progress(left[0], 0.0)
    for second, count in enumerate(left[1:], start=1):
        shown.look(count, float(second))
    return shown


def test_pace_and_end_are_told() -> None:
    assert pace_of(progress(100, 90, 80)) == "10.0 a second, empty in about 0:08"
    assert pace_of(progress(100_000, 99_990)) == "10.0 a second, empty in about 2:46:39"


def test_a_deadline_is_compared_with_the_end() -> None:
    assert pace_of(progress(100, 90, 80), 20.0) == "10.0 a second, empty in about 0:08, 0:12 before the deadline"
    assert pace_of(progress(100, 90, 80), 5.0) == "10.0 a second, empty in about 0:08, 0:03 after the deadline"


def test_one_that_stands_still_says_so() -> None:
    assert pace_of(progress(100, 100)) == "nobody left lately"
    assert pace_of(progress(100, 100), 61.0) == "nobody left lately; the deadline is in 1:01"
