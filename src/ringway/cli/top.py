"""`ringway top`: the nodes, live."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from ringway.admin.member import Cluster, NodeRow
from ringway.cli.cluster import joined
from ringway.cli.cluster_view import ask_problems, frozen_lines, view_cluster
from ringway.cli.command import Option
from ringway.cli.counted import counted
from ringway.cli.grid import draw_grid
from ringway.cli.member_grid import (
    UNKNOWN,
    cpu_in_words,
    gateways_grid,
    problem_lines,
    state_cell,
    strangers_grid,
)
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import Gateways
from ringway.cli.terminal import say_json
from ringway.protocol.control import NodeProblems
from ringway.tasks import Tasks

if TYPE_CHECKING:
    from rich.console import RenderableType

LOOK_S = 0.25
BAR_MIN, BAR_MAX = 6, 40
BESIDE_BAR = 74
"""Columns of the table without the bars."""

PROBLEMS_EACH_S = 2.0
"""The pause between two questions for the problems that gateways see."""

RATE_S = 1.0
"""The window over which rates are measured: reports come each second."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The rates of one node, per second."""

    accepted_per_s: float = 0.0
    publications_per_s: float = 0.0
    deliveries_per_s: float = 0.0
    moves_per_s: float = 0.0


class Meter:
    """Converts the counters of reports to rates."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, NodeRow]] = {}
        self._rates: dict[str, Rates] = {}

    def take(self, cluster: Cluster, now: float) -> dict[str, Rates]:
        """Return the rates of each node in `cluster`, as measured over the last second or so."""
        for node in cluster.nodes:
            at, last = self._last.setdefault(node.incarnation, (now, node))
            if now - at < RATE_S:
                continue
            seconds = now - at
            self._rates[node.incarnation] = Rates(
                accepted_per_s=(node.accepted - last.accepted) / seconds,
                publications_per_s=(node.publications - last.publications) / seconds,
                deliveries_per_s=(node.deliveries - last.deliveries) / seconds,
                moves_per_s=(sum(node.moved.values()) - sum(last.moved.values())) / seconds,
            )
            self._last[node.incarnation] = (now, node)
        self._last = {node.incarnation: self._last[node.incarnation] for node in cluster.nodes}
        return {node.name: self._rates.get(node.incarnation, Rates()) for node in cluster.nodes}


@finds_system
def top(
    system: SystemChoice,
    once: Annotated[bool, Option("--once", help="Show it once, after measuring for some seconds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the nodes: connections against fair shares, rates, moves. Ctrl-C ends it.

    The mark in each bar is the node's fair share. With --json, or if the output is not a terminal, it prints once and
    ends, as with --once.
    """
    once = once or as_json or sys.stdout is None or not sys.stdout.isatty()
    run_async(_watch(system, once=once, as_json=as_json))


async def _watch(system: SystemChoice, *, once: bool, as_json: bool) -> None:
    meter, tasks = Meter(), Tasks()
    async with joined(system) as (engine, members):
        told: list[NodeProblems] = []

        def look() -> tuple[Cluster, dict[str, Rates]]:
            members.tick(engine_up=engine.up)
            cluster = view_cluster(members, told)
            return cluster, meter.take(cluster, time.monotonic())

        async def ask() -> None:
            told[:] = await ask_problems(Gateways(engine, members))

        async def ask_on() -> None:
            while True:
                await ask()
                await asyncio.sleep(PROBLEMS_EACH_S)

        look()
        if once:
            await asyncio.sleep(2 * RATE_S)
            await ask()
            _print(*look(), told, as_json=as_json)
            return
        from rich.live import Live

        from ringway.cli.table import make_console

        console = make_console()
        tasks.spawn(ask_on(), name="problems")
        try:
            with Live(console=console, auto_refresh=False, screen=True) as live:
                while True:
                    live.update(_screen(*look(), told, engine_up=engine.up, width=console.width), refresh=True)
                    await asyncio.sleep(LOOK_S)
        finally:
            await tasks.aclose()


def _print(cluster: Cluster, rates: dict[str, Rates], told: Sequence[NodeProblems], *, as_json: bool) -> None:
    if as_json:
        rows = [msgspec.to_builtins(node) | msgspec.to_builtins(rates[node.name]) for node in cluster.nodes]
        say_json(rows)
        return
    from ringway.cli.table import make_console

    console = make_console()
    console.print(_screen(cluster, rates, told, engine_up=True, width=console.width))


def _screen(
    cluster: Cluster, rates: dict[str, Rates], told: Sequence[NodeProblems], *, engine_up: bool, width: int
) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ringway.cli.table import bar, words

    table = Table(box=None, pad_edge=False, header_style="dim")
    grouped = len(cluster.groups) > 1
    left = ("node", "group", "state", "")
    for name in (
        "node",
        *(("group",) if grouped else ()),
        "state",
        "conns",
        "",
        "fair",
        "new/s",
        "pub/s",
        "deliv/s",
        "moves/s",
        "cpu",
        "lag",
    ):
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    beside = BESIDE_BAR + (2 + max(map(len, cluster.groups)) if grouped else 0)
    room = max(BAR_MIN, min(BAR_MAX, width - beside))
    largest = max((max(node.connections, node.fair) for node in cluster.nodes), default=0.0)
    for node in sorted(cluster.nodes, key=lambda node: node.group):
        rate = rates[node.name]
        table.add_row(
            words(node.name, "bold"),
            *([node.group] if grouped else []),
            Text(*state_cell(node)),
            f"{node.connections:,}",
            bar(node.connections, node.fair, largest, room),
            f"{node.fair:,.0f}",
            f"{rate.accepted_per_s:,.0f}",
            f"{rate.publications_per_s:,.0f}",
            f"{rate.deliveries_per_s:,.0f}",
            f"{rate.moves_per_s:,.0f}",
            cpu_in_words(node),
            f"{node.loop_lag_s * 1000:.0f} ms" if node.memory_bytes else UNKNOWN,
        )
    total = Text(f"{counted(cluster.connections, 'connection')} on {counted(len(cluster.nodes), 'node')}", "bold")
    away = Text("The engine is away: this is what was last heard.", "red") if not engine_up else Text()
    grids = [gateways_grid(cluster), *([strangers_grid(cluster)] if cluster.strangers else [])]
    below = [Text.from_ansi("\n".join(["", *draw_grid(grid, width, styled=True)])) for grid in grids]
    problems = [words(line, "yellow") for line in frozen_lines(told, cluster)]
    problems += [words(line, "red") for line in problem_lines(cluster)]
    return Group(total, away, table, *below, *([Text(), *problems] if problems else []))
