"""`ringway roll`: restarts all nodes, one after the other, each when it is empty."""

import asyncio
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from typing import Annotated

from ringway.app.config import load_config
from ringway.cli.backend_return import BackendReturn, tells_restarts
from ringway.cli.cluster import Access, ask_leader, ask_node, joined, need_node, wait_for_node
from ringway.cli.command import Option
from ringway.cli.counted import counted
from ringway.cli.duration import read_drain_within, read_duration, read_pause
from ringway.cli.forecast import forecast
from ringway.cli.option import SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import Gateways
from ringway.cli.terminal import say, tell
from ringway.cli.watch import Drained, leaving, outcomes_in_words, watch_until_empty
from ringway.core.membership import TICK_S
from ringway.core.move_outcomes import NO_OUTCOMES
from ringway.errors import ConfigError, RingwayError
from ringway.member.feed import Feed
from ringway.protocol.order import DrainRequest, SetState
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState

NODE = "{node}"

LEADER_S = 15.0
"""The time for a leading balancer to answer: the leader may die meanwhile."""

CHECK_LATEST = 1.2
"""The longest pause between two health checks, in intervals: gateways spread their checks."""

_PLACEHOLDER = re.compile(r"\{\w+\}")
_NUMBERS = re.compile(r"(\d+)")


@finds_system
def roll(
    system: SystemChoice,
    command: Annotated[
        str,
        Option(
            metavar="COMMAND",
            help="What restarts one node, such as 'systemctl restart ringway-node@{node}'; {node} is its name. "
            "It is run without a shell.",
        ),
    ],
    within: Annotated[
        str | None,
        Option(metavar="DURATION", help="Each node must be empty by then, as in `ringway drain --within`."),
    ] = None,
    nodes: Annotated[
        str | None, Option(metavar="NAMES", help="Only these, in this order: node-1,node-2. Without it: all.")
    ] = None,
    pause: Annotated[
        str,
        Option(
            metavar="DURATION",
            help="Pause after a node is back, before the next node is drained. If it is below the balancer's "
            "`settle_s`, the restarted node stays empty for the next node's clients.",
        ),
    ] = "5s",
    ready_within: Annotated[
        str,
        Option(metavar="DURATION", help="The command, and the node's return after it, must be done by then."),
    ] = "2m",
    force: Annotated[bool, Option("--force", help="With --within: as in `ringway drain`.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Restart the nodes one after the other, unnoticed by users.

    Each node is drained, restarted by the command, and waited for; then comes the next. Clients go to restarted nodes
    first, as far as these can accept them, so that they are moved little more than once. A backend does not report its
    restart. Its drain ends when COMMAND has ended, the backend accepts connections, and its gateways report no problem:
    so COMMAND must not end before the old server has ended. At the first step that fails the command ends, and shows
    what was done and what was not.

    Example: ringway roll --within 60s --command 'systemctl restart ringway-node@{node}'
    """
    words = read_command(command)
    within_s = read_drain_within(within)
    if force and not within_s:
        raise ConfigError("--force is about a deadline; give it with --within, such as --within 60s")
    pause_s, ready_s = read_pause(pause), read_duration(ready_within)

    async def work() -> None:
        async with joined(system) as (engine, members):
            names = choose_nodes(nodes, members)
            config = load_config(flags=system.flags, file=system.config_file).config
            if dry_run:
                say(await forecast(engine, members, names, config.balance, within_s))
                say(f"Nothing was done. Each would be restarted by: {shlex.join(words)}")
                return
            checks_s = 2 * (CHECK_LATEST * config.gateway.health_interval_s + config.gateway.health_timeout_s)
            await Roll(engine, members, names, words, within_s, force, ready_s, checks_s).run(pause_s)

    run_async(work())


class Roll:
    """One rolling restart of the nodes `names`, in their order. Two checks of a backend take up to `checks_s`."""

    def __init__(
        self,
        engine: Access,
        members: Feed,
        names: Sequence[NodeName],
        words: Sequence[str],
        within_s: float,
        force: bool,
        ready_s: float,
        checks_s: float,
    ) -> None:
        self._engine = engine
        self._members = members
        self._names = names
        self._words = words
        self._within_s = within_s
        self._force = force
        self._ready_s = ready_s
        self._checks_s = checks_s
        self._done = 0  # the number of nodes that are restarted
        self._at: NodeName | None = None  # the node of the present step; None between two steps
        self._drained: Incarnation | None = None  # the incarnation of the present node, while it is ordered to drain

    async def run(self, pause_s: float) -> None:
        """Restart all nodes. Raise `RingwayError` at the first step that fails, with what was done and what was not.

        If it is cancelled, at a step or in a pause, it says the same on stderr.
        """
        moved, outcomes = 0, NO_OUTCOMES
        try:
            for index, name in enumerate(self._names):
                if index:
                    await self._pause(pause_s)
                self._at = name
                step = f"{index + 1}/{len(self._names)} {name}"
                drained = await self._restart(name, self._names[index + 1 :], step)
                self._at, self._done = None, index + 1
                moved, outcomes = moved + drained.moved, outcomes.plus(drained.outcomes)
        except RingwayError as error:
            raise RingwayError(f"{error}. {self._standing()}") from None
        except asyncio.CancelledError:
            tell(f"ringway: interrupted. {self._standing()}")
            raise
        were = "was" if len(self._names) == 1 else "were"
        done = f"{counted(len(self._names), 'node')} {were} restarted, with {counted(moved, 'move')}"
        say(f"{done}{outcomes_in_words(outcomes, moved)}")

    async def _restart(self, name: NodeName, later: Sequence[NodeName], step: str) -> Drained:
        """Drain, restart and wait for one node; return how its connections left it."""
        before = await wait_for_node(self._engine, self._members, name)
        request = DrainRequest(node=name, within_s=self._within_s, force=self._force, avoid=tuple(later))
        self._drained = before.incarnation  # also if this is interrupted before the answer
        try:
            judged = await ask_leader(self._engine, request, LEADER_S)
        except RingwayError:
            self._drained = None
            raise
        if judged.connections:
            say(f"{step}: {leaving(name, judged)}")
        drained = await watch_until_empty(self._engine, self._members, name, quiet=False)
        words = [word.replace(NODE, name) for word in self._words]
        say(f"{step}: empty after {drained.seconds:.0f} s; running {shlex.join(words)}")
        began = time.monotonic()
        if before.is_backend and not tells_restarts(before):
            await self._restart_backend(before, words)
        else:
            try:
                async with asyncio.timeout(self._ready_s):
                    await run_command(words)
                    await self._returned(name, before.incarnation)
            except TimeoutError:
                raise RingwayError(self._why_not_back(name, before.incarnation)) from None
        self._drained = None
        say(f"{step}: back after {time.monotonic() - began:.0f} s")
        return drained

    async def _restart_backend(self, before: Report, words: Sequence[str]) -> None:
        """Restart a backend that keeps its incarnation, and end its drain when it is back."""
        name, is_restarted = before.name, False
        back = BackendReturn(Gateways(self._engine, self._members), before, self._checks_s)
        await back.look_before()
        try:
            async with asyncio.timeout(self._ready_s):
                await run_command(words)
                is_restarted = True
                await back.wait()
                report = await wait_for_node(self._engine, self._members, name)
                await ask_node(self._engine, report, SetState(draining=False))
                self._drained = None
                while (now := self._members.node(name)) is None or now.state is not NodeState.ACTIVE:
                    await asyncio.sleep(TICK_S)
                    self._members.tick(engine_up=self._engine.up)
        except TimeoutError:
            what = f"is not back: {back.problem}" if back.problem else "is restarted, but does not take clients"
            after = f"within {self._ready_s:g} s"
            raise RingwayError(
                f"{name} {what} {after}"
                if is_restarted
                else f"the command did not end {after}: {shlex.join(words)}; allow more with --ready-within"
            ) from None

    async def _returned(self, name: NodeName, life: Incarnation) -> None:
        """Return when `name` runs with an incarnation other than `life`, and accepts connections."""
        while self._why_not_back(name, life):
            await asyncio.sleep(TICK_S)
            self._members.tick(engine_up=self._engine.up)

    async def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await asyncio.sleep(min(TICK_S, max(0.0, ends_at - time.monotonic())))
            self._members.tick(engine_up=self._engine.up)

    def _why_not_back(self, name: NodeName, life: Incarnation) -> str:
        """Return what is missing until the node is back; empty if it is back."""
        report = self._members.node(name)
        after = f"within {self._ready_s:g} s"
        if report is None:
            return f"{name} did not come back {after}; look at its log, or allow more with --ready-within"
        if report.incarnation == life:
            return f"{name} was not restarted by the command {after}: it still runs"
        if report.state is not NodeState.ACTIVE:
            return f"{name} came back, but drains again"
        return "" if report.engine_up else f"{name} came back, but has not reached the engine {after}"

    def _standing(self) -> str:
        """Return what was done, what was not, and that the node of the present step is left draining."""
        done = ", ".join(self._names[: self._done]) or "none"
        if self._at is None:
            rest = ", ".join(self._names[self._done :]) or "none"
            return f"It ended between two nodes; restarted: {done}; not yet: {rest}. No node is left draining by it"
        rest = ", ".join(self._names[self._done + 1 :]) or "none"
        left = left_draining(self._members.node(self._at), self._drained)
        return f"It ended at {self._at}; restarted before: {done}; not yet: {rest}{left}"


def left_draining(report: Report | None, drained: Incarnation | None) -> str:
    """Return that the node of `report` is left draining, with the remedy; empty if it takes clients, or is gone.

    `drained` is the incarnation that the roll has ordered to drain: a report may be older than the order.
    """
    if report is None or (report.state is not NodeState.DRAINING and report.incarnation != drained):
        return ""
    name = report.name
    return f". {name} is left draining, and gets no new clients: `ringway undrain {name}` takes it back"


def read_command(text: str) -> list[str]:
    """Return the words of a command; raise `ConfigError` if it cannot be run."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"the command {text!r} cannot be read ({error}); close the quotes") from None
    if not words:
        raise ConfigError("the command is empty; give what restarts a node, such as 'systemctl restart ringway@{node}'")
    unknown = [found for found in _PLACEHOLDER.findall(text) if found != NODE]
    if unknown:
        raise ConfigError(f"the command holds {unknown[0]}; the only placeholder is {NODE}, and there is no shell")
    if NODE not in words[0] and shutil.which(words[0]) is None:
        raise ConfigError(f"there is no command {words[0]!r}; give its path, or correct it")
    return words


async def run_command(words: Sequence[str]) -> None:
    """Run a command on our terminal. Raise `RingwayError` if it fails. If this is cancelled, the command is killed."""
    try:
        process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL)
    except OSError as error:
        raise RingwayError(f"the command {words[0]} cannot be run ({error.strerror or error})") from None
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if code:
        ending = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise RingwayError(f"the command failed ({ending}): {shlex.join(words)}")


def choose_nodes(given: str | None, members: Feed) -> list[NodeName]:
    """Return the nodes to restart, in their order; raise `ConfigError` for unknown names."""
    if given is None:
        names = [name for name in members.live if members.node(name)]
        if not names:
            raise ConfigError("no node is running")
        return sorted(names, key=_by_number)
    names = [need_node(members, name.strip()).name for name in given.split(",")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"{twice} is named twice in --nodes; name each node once")
    return names


def _by_number(name: NodeName) -> list[tuple[int, str]]:
    """Return a sort key that puts node-10 after node-9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in _NUMBERS.split(name)]
