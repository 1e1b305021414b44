"""Parts of screens that rich draws: the console, strangers' texts, bars."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment
from rich.text import Text

from ringway.app.visible import visible
from ringway.cli.terminal import WIDE

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def make_console(wide: int = WIDE) -> Console:
    """Return a console for tables: as wide as the terminal, or `wide` columns if there is none."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = Console(**plain)
    if not console.is_terminal:
        console = Console(**plain, width=wide)
    console.push_render_hook(_Visible())
    return console


class _Visible(RenderHook):
    """Makes terminal controls visible in everything that is printed: strangers chose much of this text."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return `renderables` with all their text made visible."""
        return [_Shown(each) for each in renderables]


class _Shown:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self._inner, options):
            yield Segment(text if control else visible(text, keep="\n"), style, control)


def words(text: str, style: str = "") -> Text:
    """Return a stranger's text as a cell of a table: on one line, without markup."""
    return Text(visible(text), style)


def bar(value: float, fair: float, largest: float, width: int) -> Text:
    """Return `value` as a bar on the scale of `largest`, with a mark at `fair`."""
    if largest <= 0:
        return Text("·" * width, "dim")
    eighths = round(min(1.0, value / largest) * width * 8)
    cells = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    text = Text(cells, "cyan") + Text("·" * (width - len(cells)), "dim")
    if fair > 0:
        mark = min(width - 1, round(fair / largest * width))
        text = text[:mark] + Text("│", "bold yellow") + text[mark + 1 :]
    return text
