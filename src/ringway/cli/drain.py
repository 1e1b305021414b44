"""`ringway drain`: empties a node."""

import asyncio
import sys
import time
from typing import Annotated

import msgspec
import typer

from ringway.app.config import Layer
from ringway.app.member import Members
from ringway.cli.cluster import ANSWER_S, ask_node, joined, need_node
from ringway.cli.duration import read_duration
from ringway.cli.option import AsJson, ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.core.membership import TICK_S
from ringway.errors import ConfigError, NoAnswer, RingwayError
from ringway.ports import Engine
from ringway.protocol.order import BALANCER, Drain, DrainAnswer, SetState, decode_drain_answer, encode
from ringway.types import NodeState, Role

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="The node's name, as `ringway nodes` lists it.")]


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """What a drain has come to."""

    node: str
    connections: int  # still there
    moved: int
    seconds: float


@takes_settings("engine")
def drain(
    flags: Layer,
    node: NodeArgument,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Be done by then, such as 60s or 5m, at an even pace. Refused, saying what would do, if it cannot be.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --within: try it all the same, at whatever rate it takes.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until the node is empty.")] = True,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Empty a node: it gets no new connections, and the balancer moves its own to the others, at its usual pace.

    Then the node can be stopped without anybody noticing. `ringway undrain` takes it back. Ctrl-C ends the
    watching, not the drain.
    """
    within_s = read_duration(within) if within else 0.0
    if force and not within_s:
        raise ConfigError("--force is about a deadline; give it with --within, such as --within 60s")

    async def work() -> Drained:
        async with joined(flags, config_file, state) as (engine, members):
            report = need_node(members, node)
            if wait and report.connections:
                _need_another(members, node)
            if within_s:
                judged = await _ask_leader(engine, Drain(node=report.name, within_s=within_s, force=force))
                if not as_json and judged.connections:
                    pace = f"{judged.moves_per_s:,.1f} a second: about {judged.needs_s:,.0f} s"
                    typer.echo(f"{judged.connections:,} connections leave {node}, {pace}")
            else:
                await ask_node(engine, report.name, SetState(draining=True))
            if not wait:
                return Drained(node=node, connections=report.connections, moved=0, seconds=0.0)
            return await _watch(engine, members, node, quiet=as_json)

    done = run_async(work())
    if as_json:
        typer.echo(msgspec.json.encode(done))
    elif wait:
        typer.echo(f"{node} is empty: {done.moved:,} connections left it in {done.seconds:.0f} s")
    else:
        typer.echo(f"{node} drains: {done.connections:,} connections to move; `ringway top` shows it")


async def _ask_leader(engine: Engine, request: Drain) -> DrainAnswer:
    """Return what the leading balancer says of a drain by a deadline. Raise `RingwayError` where it refuses."""
    try:
        answer = decode_drain_answer(await engine.bus.call(BALANCER, encode(request), timeout_s=ANSWER_S))
    except NoAnswer:
        raise RingwayError(
            "no balancer answers: it runs in the gateways, and a new one leads a few seconds after its start; "
            "without --within the node itself is asked"
        ) from None
    if answer.why:
        raise RingwayError(f"{answer.why}, or use --force" if not request.force else answer.why)
    return answer


def _need_another(members: Members, node: str) -> None:
    others = (report for report in members.live.values() if report.role is Role.NODE and report.name != node)
    if not any(report.state is NodeState.ACTIVE for report in others):
        raise ConfigError(
            f"no other node takes connections, so those of {node} cannot be moved; start one with `ringway node`, "
            "or use --no-wait to keep new clients away all the same"
        )


async def _watch(engine: Engine, members: Members, node: str, *, quiet: bool) -> Drained:
    """Return when `node` is empty. Raise `RingwayError` where it goes away before."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.monotonic()
    start = need_node(members, node).connections
    left = start
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as progress:
        bar = progress.add_task(f"draining {node}", total=start)
        while left:
            await asyncio.sleep(TICK_S)
            members.tick(engine.up)
            report = members.node(node)
            if report is None:
                raise RingwayError(f"{node} has gone, with {left:,} connections on it at its last report")
            left = report.connections
            progress.update(bar, completed=start - left)
    return Drained(node=node, connections=left, moved=start, seconds=round(time.monotonic() - began, 1))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(drain)
