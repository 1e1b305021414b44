import pytest
from rich.console import Console

from ringway.admin.member import describe
from ringway.cli.table import bar, gateways_table, nodes_table
from unit.admin.test_member import node


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


def test_tables_hold_a_line_for_each_member():
    cluster = describe([node("node-1", 1234), node("node-2", 5, engine_up=False)])
    console = Console(width=160)
    with console.capture() as captured:
        console.print(nodes_table(cluster))
        console.print(gateways_table(cluster))
    text = captured.get()
    assert "1,234" in text
    assert "no engine" in text
    assert "node-2" in text
