"""Tables of words, drawn without rich. rich is the reference where nothing must be folded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringway.cli.grid import Cell, Grid, draw_grid, width_of

WIDE = 160
WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=30)


def by_rich(grid: Grid, *, styled: bool) -> list[str]:
    """Draw `grid` with rich, at a width at which nothing is folded."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in grid.columns:
        table.add_column(name, justify="right" if name in grid.right else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell.text, cell.style) for cell in row))
    console = Console(width=WIDE, force_terminal=True, color_system="standard" if styled else None, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def unstyled(line: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", line)


GRIDS = [
    Grid(("name", "count"), (), frozenset(["count"])),
    Grid(
        ("name", "count"),
        [(Cell("a", "bold"), Cell("1,234")), (Cell("longer"), Cell("5", "red"))],
        frozenset(["count"]),
    ),
    Grid(("wide", "narrow"), [(Cell("節点"), Cell("knöten")), (Cell(""), Cell("e\u0301", "green"))]),
]


@pytest.mark.parametrize("grid", GRIDS, ids=["no rows", "numbers to the right", "wide and combining characters"])
def test_it_looks_as_rich_makes_it(grid: Grid) -> None:
    assert draw_grid(grid, WIDE) == by_rich(grid, styled=False)
    assert [unstyled(line) for line in draw_grid(grid, WIDE, styled=True)] == draw_grid(grid, WIDE)


def test_styles_are_those_of_rich() -> None:
    grid = Grid(("",), [(Cell("word", style),) for style in ("bold", "dim", "red", "green", "yellow")])
    assert draw_grid(grid, WIDE, styled=True)[1:] == by_rich(grid, styled=True)[1:]


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4), st.integers(10, 100))
def test_whatever_must_be_folded_is_there_and_fits(rows: list[tuple[str, str, str]], width: int) -> None:
    grid = Grid(("a", "b", "c"), [[Cell(text) for text in row] for row in rows])
    lines = draw_grid(grid, width)
    assert max(width_of(line) for line in lines) <= width
    shown = "".join(lines).replace(" ", "")
    for char in "".join(map("".join, rows)).replace(" ", ""):
        assert char in shown


def test_the_widest_column_is_folded_first() -> None:
    grid = Grid(("name", "url"), [(Cell("node-1"), Cell("ws://127.0.0.1:9101")), (Cell("n2"), Cell("ws://h"))])
    assert draw_grid(grid, 20) == [
        "name    url         ",
        "node-1  ws://127.0.0",
        "        .1:9101     ",
        "n2      ws://h      ",
    ]


def test_words_of_strangers_do_not_steer_the_terminal() -> None:
    [_, line] = draw_grid(Grid(("name",), [(Cell("\x1b]0;X\x07\n", "bold"),)]), WIDE, styled=True)
    assert line == "\x1b[1m\\x1b]0;X\\x07\\n\x1b[0m"


@pytest.mark.parametrize("text", ["", "node-1", "knöten", "e\u0301", "節点", "\uff57\uff49", "🙂"], ids=ascii)
def test_widths_are_those_of_rich(text: str) -> None:
    assert width_of(text) == cell_len(text)
