"""Watching a node become empty: a bar on a terminal, else a line every few seconds; both on stderr."""

import asyncio
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from ringway.cli.cluster import need_node
from ringway.cli.counted import counted, verb
from ringway.cli.terminal import tell
from ringway.core.membership import TICK_S
from ringway.core.progress import Progress
from ringway.errors import RingwayError
from ringway.member.feed import Feed
from ringway.ports import Engine
from ringway.protocol.order import DrainAnswer
from ringway.types import NodeState

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_S = 2.0
STILL_S = 10.0
"""After so long without anybody leaving it is said where to look."""


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """What a drain has come to."""

    node: str
    connections: int  # still there
    moved: int
    seconds: float


async def watch_until_empty(engine: Engine, members: Feed, node: str, *, quiet: bool) -> Drained:
    """Return when `node`, which was told to drain, does and is empty, showing how far it is.

    Raise `RingwayError` where it goes away before, or is taken back.
    """
    began = time.monotonic()
    progress = Progress(need_node(members, node).connections, began)
    drains = False
    with _Shown(node, progress, quiet=quiet) as shown:
        while True:
            report = members.node(node)
            if report is None:
                raise RingwayError(
                    f"{node} has gone, with {counted(progress.left, 'connection')} on it at its last report"
                )
            now = time.monotonic()
            progress.observe(report.connections, now)
            shown.update(report.drain_left_s, now)
            if report.state is NodeState.DRAINING:
                drains = True
                if not report.connections:
                    break
            elif drains:
                raise RingwayError(
                    f"{node} was taken back meanwhile, with {counted(progress.left, 'connection')} on it"
                )
            await asyncio.sleep(TICK_S)
            members.tick(engine_up=engine.up)
    return Drained(node=node, connections=0, moved=progress.most, seconds=round(time.monotonic() - began, 1))


def leaving(node: str, judged: DrainAnswer) -> str:
    """Say what a drain is going to do, as the leading balancer has judged it."""
    pace = f"{judged.moves_per_s:,.1f} a second: about {judged.needs_s:,.0f} s"
    return f"{counted(judged.connections, 'connection')} {verb(judged.connections, 'leave')} {node}, {pace}"


def pace_of(progress: Progress, deadline_s: float = 0.0) -> str:
    """Say how fast it goes and when it is over: `12.5 a second, empty in about 1:05, 0:20 before the deadline`."""
    eta_s = progress.eta_s
    if eta_s is None:
        return "nobody left lately" + (f"; the deadline is in {_clock(deadline_s)}" if deadline_s else "")
    words = f"{progress.per_s:,.1f} a second, empty in about {_clock(eta_s)}"
    if not deadline_s:
        return words
    spare_s = deadline_s - eta_s
    return f"{words}, {_clock(abs(spare_s))} {'before' if spare_s >= 0 else 'after'} the deadline"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Shown:
    """The progress of one drain, as the person or the log sees it."""

    def __init__(self, node: str, progress: Progress, *, quiet: bool) -> None:
        self._node = node
        self._progress = progress
        self._quiet = quiet
        self._said_at = self._moved_at = time.monotonic()
        self._said_left = self._left = progress.left
        self._hinted = False
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "_Shown":
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}"),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(f"draining {self._node}", total=self._progress.most, pace="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, deadline_s: float, now: float) -> None:
        """Show the progress as it is now."""
        progress = self._progress
        if progress.left < self._left:
            self._moved_at = now
        self._left = progress.left
        if self._quiet:
            return
        if self._bar is not None and self._task is not None:
            pace = pace_of(progress, deadline_s)
            self._bar.update(self._task, completed=progress.gone, total=progress.most, pace=pace)
        elif now >= self._said_at + LINE_S and (progress.left != self._said_left or now >= self._said_at + STILL_S):
            self._said_at, self._said_left = now, progress.left
            left = f"{progress.left:,} of {counted(progress.most, 'connection')} left"
            tell(f"{self._node}: {left}, {pace_of(progress, deadline_s)}")
        if progress.left and now >= self._moved_at + STILL_S and not self._hinted:
            self._hinted = True
            tell(f"nobody has left {self._node} for {STILL_S:g} s; `ringway moves` says why")
