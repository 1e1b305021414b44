"""Parts of screens that rich draws."""

import pytest

from ringway.cli.table import bar


@pytest.mark.parametrize(
    ("value", "fair", "largest", "text"),
    [
        (0, 0, 0, "········"),
        (0, 0, 10, "········"),
        (10, 0, 10, "████████"),
        (5, 0, 10, "████····"),
        (5, 7.5, 10, "████··│·"),
        (10, 10, 10, "███████│"),
        (1, 0, 64, "▏·······"),
    ],
)
def test_a_bar_shows_the_value_and_marks_the_fair_share(value, fair, largest, text):
    drawn = bar(value, fair, largest, 8)
    assert drawn.plain == text
    assert len(drawn.plain) == 8
