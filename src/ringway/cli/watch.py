"""Display of a drain: a bar on a terminal, otherwise a line every few seconds; both on stderr."""

import asyncio
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from ringway.cli.cluster import Access, wait_for_node
from ringway.cli.cluster_view import ask_problems, pause_line, pauses_of, view_cluster
from ringway.cli.counted import counted, verb
from ringway.cli.steer import Gateways
from ringway.cli.terminal import tell
from ringway.core.membership import TICK_S
from ringway.core.move_outcomes import NO_OUTCOMES, MoveOutcomes, OutcomeCounters, sum_outcomes
from ringway.core.progress import Progress
from ringway.errors import ConfigError, RingwayError
from ringway.member.feed import Feed
from ringway.protocol.order import DrainAnswer
from ringway.protocol.report import Report, count_present, group_of
from ringway.types import NodeState

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_S = 2.0
REPORTED_S = 2.5
"""The time for the outcomes of the last moves after the node is empty: each member reports each second."""

STILL_S = 10.0
"""After this time without a departure, a hint is printed."""


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a drain."""

    node: str
    connections: int  # connections left on the node
    moved: int
    seconds: float
    # the reported outcomes of the clients that were moved meanwhile (docs/explain/moves.md)
    handed_over: int = 0
    reconnected: int = 0
    lost: int = 0
    apart: int = 0

    @property
    def outcomes(self) -> MoveOutcomes:
        """The outcomes of the moves."""
        return MoveOutcomes(self.handed_over, self.reconnected, self.lost, self.apart)


def outcomes_in_words(outcomes: MoveOutcomes, moved: int) -> str:
    """Return the outcomes of `moved` connections: `: 38 handed over, 2 reconnected`; empty for none."""
    if not moved:
        return ""
    unknown = max(0, moved - outcomes.total)
    rest = f"; of {unknown:,} nothing is known: they ended by themselves, or are on their way" if unknown else ""
    return f": {outcomes}{rest}"


async def watch_until_empty(engine: Access, members: Feed, node: str, *, quiet: bool) -> Drained:
    """Show the progress of `node`, which was ordered to drain; return when it drains and is empty.

    Raise `RingwayError` if it disappears before, or its drain is ended.
    """
    began = time.monotonic()
    counters, outcomes = OutcomeCounters(), NO_OUTCOMES
    counters.observe(members.live.values())
    report = await wait_for_node(engine, members, node)
    progress = Progress(count_present(report), began)
    drains = False
    with _Shown(node, progress, quiet=quiet) as shown:
        while True:
            report = await _newest_report(engine, members, report, progress.left)
            now = time.monotonic()
            is_known = bool(report.holders) or not report.is_backend  # no gateway is heard while the engine hangs
            if is_known:
                progress.observe(count_present(report), now)
            shown.update(report.drain_left_s, now)
            if shown.stands_still(now):
                tell(f"nobody has left {node} for {STILL_S:g} s. {await _why_still(engine, members, report)}")
            if is_known and report.state is NodeState.DRAINING:
                drains = True
                if not count_present(report):
                    break
            elif is_known and drains:
                raise RingwayError(
                    f"{node} was taken back meanwhile, with {counted(progress.left, 'connection')} on it"
                )
            await asyncio.sleep(TICK_S)
            members.tick(engine_up=engine.up)
            outcomes = sum_outcomes([outcomes, *counters.observe(members.live.values()).values()])
    seconds = round(time.monotonic() - began, 1)
    reported_by = time.monotonic() + REPORTED_S
    while outcomes.total < progress.most and time.monotonic() < reported_by:
        await asyncio.sleep(TICK_S)
        members.tick(engine_up=engine.up)
        outcomes = sum_outcomes([outcomes, *counters.observe(members.live.values()).values()])
    return Drained(node=node, connections=0, moved=progress.most, seconds=seconds, **outcomes._asdict())


async def _why_still(engine: Access, members: Feed, report: Report) -> str:
    """Return why the clients of the node of `report` are not moved, as far as gateways say it."""
    told = await ask_problems(Gateways(engine, members))
    groups = view_cluster(members, told).groups
    why = [pause_line(pause, groups) for pause in pauses_of(told) if pause.group == group_of(report)]
    return why[0] if why else "`ringway moves` says what the balancer does."


async def _newest_report(engine: Access, members: Feed, last: Report, left: int) -> Report:
    """Return the newest report of the node of `last`. If it is missing, it may come back for a moment.

    Raise `RingwayError` if it has gone, with `left` connections, or is back with a new incarnation.
    """
    report = members.node(last.name)
    if report is not None:
        return report
    with suppress(ConfigError):
        report = await wait_for_node(engine, members, last.name)
    if report is None or report.incarnation != last.incarnation:
        raise RingwayError(f"{last.name} has gone, with {counted(left, 'connection')} on it at its last report")
    return report


def leaving(node: str, judged: DrainAnswer) -> str:
    """Return a description of a drain, by the answer of the leading balancer."""
    pace = f"{judged.moves_per_s:,.1f} a second: about {judged.needs_s:,.0f} s"
    return f"{counted(judged.connections, 'connection')} {verb(judged.connections, 'leave')} {node}, {pace}"


def pace_of(progress: Progress, deadline_s: float = 0.0) -> str:
    """Return the pace and the time left: `12.5 a second, empty in about 1:05, 0:20 before the deadline`."""
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
    """The progress of one drain, as shown to the person or the log."""

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
        """Show the current progress."""
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

    def stands_still(self, now: float) -> bool:
        """Return True, once, if connections are left and none has left for `STILL_S`."""
        is_still = bool(self._progress.left) and now >= self._moved_at + STILL_S and not self._hinted
        self._hinted = self._hinted or is_still
        return is_still
