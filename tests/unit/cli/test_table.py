import pytest
from rich.console import Console

from ringway.admin.member import describe
from ringway.cli.grid import draw_plain, gateways_grid, nodes_grid
from ringway.cli.table import bar, gateways_table, make_console, nodes_table
from ringway.types import Role
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


@pytest.mark.parametrize("count", [0, 1, 12])
@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_what_no_terminal_shows_looks_as_rich_makes_it(capsys, count, weight):
    nodes = [node(f"node-{number}", 1234 * number, weight=weight) for number in range(count)]
    gateway = node("gateway-1", role=Role.GATEWAY, leading=True, admin_url="http://127.0.0.1:8001")
    cluster = describe([*nodes, gateway])
    for grid, table in ((nodes_grid(cluster), nodes_table(cluster)), (gateways_grid(cluster), gateways_table(cluster))):
        make_console().print(table)
        assert draw_plain(grid) == capsys.readouterr().out.splitlines()


def test_what_must_be_folded_or_measured_is_left_to_rich():
    assert draw_plain(nodes_grid(describe([node("n" * 160)]))) is None
    assert draw_plain(nodes_grid(describe([node("knöten")]))) is None
