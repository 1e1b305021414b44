"""Tables of members: their words, and how they look where no terminal shows them.

On a terminal rich draws them (`table`), with colours and folded to its width. A pipe or a file needs neither, and rich
takes longer to load than the rest of a command: there a table is drawn here, and looks as rich would make it.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ringway.admin.member import Cluster, NodeRow
from ringway.app.visible import visible

WIDE = 160
"""Columns of an output that is no terminal: nothing is folded or cut there."""

_FORCING = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which rich takes an output for a terminal."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of words. Columns in `right` are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[str] = frozenset()


def is_plain() -> bool:
    """Whether standard output is no terminal, and nobody asks to treat it as one."""
    return sys.stdout is not None and not sys.stdout.isatty() and not any(map(os.environ.get, _FORCING))


def draw_plain(grid: Grid) -> list[str] | None:
    """Return the lines of `grid`; None where it must be folded, or holds characters of a width that is not sure."""
    lines = [grid.columns, *grid.rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(grid.columns))]
    if sum(widths) + 2 * (len(widths) - 1) > WIDE or not all(cell.isascii() for line in lines for cell in line):
        return None
    sides = [">" if name in grid.right else "<" for name in grid.columns]
    return ["  ".join(map(format, line, map("{}{}".format, sides, widths))) for line in lines]


def nodes_grid(cluster: Cluster) -> Grid:
    """Return the nodes, one a line."""
    weighted = any(node.weight != 1 for node in cluster.nodes)
    numbers = ("conns", "fair", *(["weight"] if weighted else []), "cpu", "memory")
    rows = [
        (
            visible(node.name),
            state_of(node),
            f"{node.connections:,}",
            f"{node.fair:,.0f}",
            *([f"{node.weight:g}"] if weighted else []),
            f"{node.cpu:.0%}",
            f"{node.memory_bytes / 2**20:,.0f} MiB",
            visible(node.public_url or node.url),
        )
        for node in cluster.nodes
    ]
    return Grid(("node", "state", *numbers, "clients connect to"), rows, frozenset(numbers))


def gateways_grid(cluster: Cluster) -> Grid:
    """Return the gateways, one a line."""
    rows = [
        (
            visible(gateway.name),
            visible(gateway.public_url or gateway.url),
            visible(gateway.admin_url),
            "leads" if gateway.leading else "stands by",
        )
        for gateway in cluster.gateways
    ]
    return Grid(("gateway", "url", "admin", "balancer"), rows)


def state_of(node: NodeRow) -> str:
    """Return a node's state in a word or two."""
    return node.state if node.engine_up else "no engine"
