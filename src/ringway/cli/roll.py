"""`ringway roll`: restarts all nodes, one after the other, each when it is empty."""

import asyncio
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from typing import Annotated

from ringway.app.config import Layer, load_joined
from ringway.cli.cluster import ask_leader, joined, need_node
from ringway.cli.command import Option
from ringway.cli.counted import counted
from ringway.cli.duration import read_duration, read_pause
from ringway.cli.forecast import forecast
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.cli.terminal import say, tell
from ringway.cli.watch import leaving, watch_until_empty
from ringway.core.membership import TICK_S
from ringway.errors import ConfigError, RingwayError
from ringway.member.feed import Feed
from ringway.ports import Engine
from ringway.protocol.order import DrainRequest
from ringway.types import Incarnation, NodeName, NodeState

NODE = "{node}"

LEADER_S = 15.0
"""How long a leading balancer is waited for: one may die in the midst of it."""

_PLACEHOLDER = re.compile(r"\{\w+\}")
_NUMBERS = re.compile(r"(\d+)")


@takes_settings("engine")
def roll(
    flags: Layer,
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
            help="How long a node that is back is given before the next one is drained. Below `settle_s` of the "
            "balancer it is left empty for the next one's clients.",
        ),
    ] = "5s",
    ready_within: Annotated[
        str,
        Option(metavar="DURATION", help="The command, and the node's return after it, must be done by then."),
    ] = "2m",
    force: Annotated[bool, Option("--force", help="With --within: as in `ringway drain`.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    config_file: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Restart the nodes one after the other without anybody noticing.

    Each is drained, restarted by the command, and waited for; then the next. Clients go to nodes that were restarted
    already, as far as these can take them, so that they are moved little more than once. Ends at the first step that
    fails, and says what was done and what was not.

    Example: ringway roll --within 60s --command 'systemctl restart ringway-node@{node}'
    """
    words = read_command(command)
    within_s = 0.0 if within is None else read_duration(within)
    if force and not within_s:
        raise ConfigError("--force is about a deadline; give it with --within, such as --within 60s")
    pause_s, ready_s = read_pause(pause), read_duration(ready_within)

    async def work() -> None:
        async with joined(flags, config_file, state) as (engine, members):
            names = choose_nodes(nodes, members)
            if dry_run:
                balance = load_joined(flags=flags, file=config_file, state=state).config.balance
                say(await forecast(engine, members, names, balance, within_s))
                say(f"Nothing was done. Each would be restarted by: {shlex.join(words)}")
                return
            await Roll(engine, members, names, words, within_s, force, ready_s).run(pause_s)

    run_async(work())


class Roll:
    """One rolling restart of the nodes `names`, in their order."""

    def __init__(
        self,
        engine: Engine,
        members: Feed,
        names: Sequence[NodeName],
        words: Sequence[str],
        within_s: float,
        force: bool,
        ready_s: float,
    ) -> None:
        self._engine = engine
        self._members = members
        self._names = names
        self._words = words
        self._within_s = within_s
        self._force = force
        self._ready_s = ready_s

    async def run(self, pause_s: float) -> None:
        """Restart all. Raise `RingwayError` at the first step that fails, with what was done and what was not."""
        moved = 0
        for index, name in enumerate(self._names):
            try:
                moved += await self._restart(name, self._names[index + 1 :], f"{index + 1}/{len(self._names)} {name}")
            except RingwayError as error:
                raise RingwayError(f"{error}. {self._standing(index)}") from None
            except asyncio.CancelledError:
                tell(f"ringway: interrupted. {self._standing(index)}")
                raise
            if index + 1 < len(self._names):
                await self._pause(pause_s)
        were = "was" if len(self._names) == 1 else "were"
        say(f"{counted(len(self._names), 'node')} {were} restarted, with {counted(moved, 'move')}")

    async def _restart(self, name: NodeName, later: Sequence[NodeName], step: str) -> int:
        """Drain, restart and wait for one node; return how many connections left it."""
        life = need_node(self._members, name).incarnation
        request = DrainRequest(node=name, within_s=self._within_s, force=self._force, avoid=tuple(later))
        judged = await ask_leader(self._engine, request, LEADER_S)
        if judged.connections:
            say(f"{step}: {leaving(name, judged)}")
        drained = await watch_until_empty(self._engine, self._members, name, quiet=False)
        words = [word.replace(NODE, name) for word in self._words]
        say(f"{step}: empty after {drained.seconds:.0f} s; running {shlex.join(words)}")
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._ready_s):
                await run_command(words)
                await self._returned(name, life)
        except TimeoutError:
            raise RingwayError(self._why_not_back(name, life)) from None
        say(f"{step}: back after {time.monotonic() - began:.0f} s")
        return drained.moved

    async def _returned(self, name: NodeName, life: Incarnation) -> None:
        """Return when `name` runs another life than `life`, and takes connections."""
        while self._why_not_back(name, life):
            await asyncio.sleep(TICK_S)
            self._members.tick(engine_up=self._engine.up)

    async def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await asyncio.sleep(min(TICK_S, max(0.0, ends_at - time.monotonic())))
            self._members.tick(engine_up=self._engine.up)

    def _why_not_back(self, name: NodeName, life: Incarnation) -> str:
        """What is missing; empty where the node is back."""
        report = self._members.node(name)
        after = f"within {self._ready_s:g} s"
        if report is None:
            return f"{name} did not come back {after}; look at its log, or allow more with --ready-within"
        if report.incarnation == life:
            return (
                f"{name} was not restarted by the command {after}: it still runs, and drains (`ringway undrain {name}`)"
            )
        if report.state is not NodeState.ACTIVE:
            return f"{name} came back, but drains again; `ringway undrain {name}` ends that"
        return "" if report.engine_up else f"{name} came back, but has not reached the engine {after}"

    def _standing(self, index: int) -> str:
        """What was done before step `index`, and what was not."""
        done = ", ".join(self._names[:index]) or "none"
        rest = ", ".join(self._names[index + 1 :]) or "none"
        return f"It ended at {self._names[index]}; restarted before: {done}; not yet: {rest}"


def read_command(text: str) -> list[str]:
    """Return the words of a command; raise `ConfigError` where it cannot be run."""
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
    """Run a command, with the terminal for its output. Raise `RingwayError` where it fails; cancelled, it is killed."""
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
    """Return the nodes to restart, in their order; raise `ConfigError` for names that are none."""
    if given is None:
        names = [name for name in members.live if members.node(name)]
        if not names:
            raise ConfigError("no node is running")
        return sorted(names, key=_by_number)
    names = [need_node(members, name.strip()).name for name in given.split(",")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"{twice} stands twice in --nodes; name each once")
    return names


def _by_number(name: NodeName) -> list[tuple[int, str]]:
    """So that node-10 comes after node-9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in _NUMBERS.split(name)]
