"""Pages cut to a number of publications and of bytes."""

import pytest

from ringway.engine.page import Window, newest_within, within

FIVE = [(n, b"x" * 10) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("limit", "bytes_max", "count"),
    [(10, 50, 5), (10, 49, 4), (3, 100, 3), (10, 1, 1), (0, 100, 0)],
    ids=["all", "one byte short", "limit", "one at least", "none"],
)
def test_a_page_is_cut_at_whichever_bound_comes_first(limit: int, bytes_max: int, count: int) -> None:
    assert within(FIVE, limit, bytes_max) == FIVE[:count]
    assert newest_within(FIVE, limit, bytes_max) == FIVE[5 - count :]
    window = Window(limit, bytes_max)
    window.add_publications(FIVE[:2], None)
    window.add_publications(FIVE[2:], None)
    assert window.publications() == FIVE[5 - count :]


def test_a_window_lets_later_ones_pass_by() -> None:
    window = Window(2, 100)
    window.add_publications(FIVE, before=4)
    assert window.publications() == FIVE[1:3]
