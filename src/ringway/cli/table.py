"""The members as tables."""

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ringway.admin.member import Cluster, NodeRow
from ringway.types import NodeState

WIDE = 160
"""Columns of an output that is no terminal: nothing is folded or cut there."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def make_console() -> Console:
    """Return a console for tables: as wide as the terminal, or wide enough where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def nodes_table(cluster: Cluster) -> RenderableType:
    """Return the nodes as a table, one a line."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    weighted = any(node.weight != 1 for node in cluster.nodes)
    numbers = ("conns", "fair", *(["weight"] if weighted else []), "cpu", "memory")
    for name in ("node", "state", *numbers, "clients connect to"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for node in cluster.nodes:
        table.add_row(
            Text(node.name, "bold"),
            state_text(node),
            f"{node.connections:,}",
            f"{node.fair:,.0f}",
            *([f"{node.weight:g}"] if weighted else []),
            f"{node.cpu:.0%}",
            f"{node.memory_bytes / 2**20:,.0f} MiB",
            node.public_url or node.url,
        )
    return table


def gateways_table(cluster: Cluster) -> RenderableType:
    """Return the gateways as a table, one a line."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("gateway", "url", "admin", "balancer"):
        table.add_column(name)
    for gateway in cluster.gateways:
        role = Text("leads", "green") if gateway.leading else Text("stands by", "dim")
        table.add_row(Text(gateway.name, "bold"), gateway.public_url or gateway.url, gateway.admin_url, role)
    return table


def state_text(node: NodeRow) -> Text:
    """Return a node's state, with the colour of how it is."""
    if not node.engine_up:
        return Text("no engine", "red")
    return Text(node.state, "green" if node.state is NodeState.ACTIVE else "yellow")


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
