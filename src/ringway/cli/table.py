"""Tables on a terminal, drawn by rich."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ringway.admin.member import Cluster, NodeRow
from ringway.app.visible import visible
from ringway.cli.grid import WIDE, gateways_grid, nodes_grid, state_of
from ringway.types import NodeState

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def make_console(wide: int = WIDE) -> Console:
    """Return a console for tables: as wide as the terminal, or `wide` columns where there is none."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = Console(**plain)
    if not console.is_terminal:
        console = Console(**plain, width=wide)
    console.push_render_hook(_Visible())
    return console


class _Visible(RenderHook):
    """Makes visible what would steer the terminal, in whatever is printed: much of it was chosen by others."""

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
    """Return a text that others chose, as a cell of a table: on one line, and nothing in it means anything."""
    return Text(visible(text), style)


def nodes_table(cluster: Cluster) -> RenderableType:
    """Return the nodes as a table, one a line."""
    grid = nodes_grid(cluster)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in grid.columns:
        table.add_column(name, justify="right" if name in grid.right else "left", overflow="fold")
    for node, (name, _, *cells) in zip(cluster.nodes, grid.rows, strict=True):
        table.add_row(Text(name, "bold"), state_text(node), *map(Text, cells))
    return table


def gateways_table(cluster: Cluster) -> RenderableType:
    """Return the gateways as a table, one a line."""
    grid = gateways_grid(cluster)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in grid.columns:
        table.add_column(name)
    for gateway, (name, url, admin, role) in zip(cluster.gateways, grid.rows, strict=True):
        table.add_row(Text(name, "bold"), Text(url), Text(admin), Text(role, "green" if gateway.leading else "dim"))
    return table


def state_text(node: NodeRow) -> Text:
    """Return a node's state, with the colour of how it is."""
    if not node.engine_up:
        return Text(state_of(node), "red")
    return Text(state_of(node), "green" if node.state is NodeState.ACTIVE else "yellow")


def bar(value: float, fair: float, largest: float, width: int) -> Text:
    """Return `value` as a bar on the scale of `largest`, with a mark where `fair` lies."""
    if largest <= 0:
        return Text("·" * width, "dim")
    eighths = round(min(1.0, value / largest) * width * 8)
    cells = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    text = Text(cells, "cyan") + Text("·" * (width - len(cells)), "dim")
    if fair > 0:
        mark = min(width - 1, round(fair / largest * width))
        text = text[:mark] + Text("│", "bold yellow") + text[mark + 1 :]
    return text
