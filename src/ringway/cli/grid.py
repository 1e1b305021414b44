"""Tables of texts, drawn for a terminal, a pipe or a file: aligned columns, folded to a width, with colours or without.

Commands that print such a table do not need rich, which takes longer to load than the rest of a command.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ringway.app.visible import visible

GAP = "  "

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""Parameters of SGR (ECMA-48, 8.3.117)."""


class Cell(NamedTuple):
    """The text of one cell, and the name of its style; empty for plain text."""

    text: str
    style: str = ""


class Grid(NamedTuple):
    """A table of texts. Columns in `right` are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: frozenset[str] = frozenset()


def draw_grid(grid: Grid, width: int, *, styled: bool = False) -> list[str]:
    """Return the lines of `grid`, at most `width` columns wide; the widest columns are folded first.

    Strangers may have chosen the texts: terminal controls are made visible.
    """
    lines = [[Cell(name, "dim") for name in grid.columns], *grid.rows]
    lines = [[Cell(visible(cell.text), cell.style) for cell in line] for line in lines]
    natural = [max(width_of(line[index].text) for line in lines) for index in range(len(grid.columns))]
    widths = _fitted(natural, width - len(GAP) * (len(natural) - 1))
    drawn = []
    for line in lines:
        parts = [_folded(cell.text, width) for cell, width in zip(line, widths, strict=True)]
        for number in range(max(map(len, parts))):
            texts = [part[number] if number < len(part) else "" for part in parts]
            cells = zip(grid.columns, texts, widths, line, strict=True)
            drawn.append(
                GAP.join(
                    _styled(_padded(text, width, name in grid.right), cell.style if styled and text else "")
                    for name, text, width, cell in cells
                )
            )
    return drawn


def width_of(text: str) -> int:
    """Return the width of `text` on a terminal: 2 columns for each wide character, 0 for a combining character."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    total = 0
    for char in text:
        if category(char) not in ("Mn", "Me", "Cf"):
            total += 2 if east_asian_width(char) in "WF" else 1
    return total


def _fitted(widths: list[int], room: int) -> list[int]:
    """Return `widths`, the widest made narrower until their sum fits into `room`; each is at least 2."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > 2:
        widths[widths.index(max(widths))] -= 1
    return widths


def _folded(text: str, width: int) -> list[str]:
    """Return the parts of `text`, each of `width` columns at most; one part if it is empty."""
    if width_of(text) <= width:
        return [text]
    parts = [""]
    for char in text:
        if parts[-1] and width_of(parts[-1] + char) > width:
            parts.append("")
        parts[-1] += char
    return parts


def _padded(text: str, width: int, right: bool) -> str:
    room = " " * (width - width_of(text))
    return room + text if right else text + room


def _styled(text: str, style: str) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style else text
