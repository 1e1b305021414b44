"""`ringway drain`: empties a node."""

from typing import Annotated

from ringway.cli.cluster import ask_leader, ask_node, joined, need_node
from ringway.cli.command import Argument, Option
from ringway.cli.counted import counted
from ringway.cli.duration import read_drain_within
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.terminal import say, say_json
from ringway.cli.watch import Drained, leaving, outcomes_in_words, watch_until_empty
from ringway.errors import ConfigError
from ringway.member.feed import Feed
from ringway.protocol.group import CHANNELS
from ringway.protocol.order import DrainRequest, SetState
from ringway.protocol.report import count_present, group_of
from ringway.types import NodeState, Role

NodeArgument = Annotated[str, Argument(metavar="NODE", help="The node's name, as `ringway nodes` lists it.")]


@finds_system
def drain(
    system: SystemChoice,
    node: NodeArgument,
    within: Annotated[
        str | None,
        Option(
            metavar="DURATION",
            help="Deadline, such as 60s or 5m, at an even pace. Refused with a possible deadline if it cannot be met.",
        ),
    ] = None,
    force: Annotated[
        bool, Option("--force", help="With --within: try it all the same, at whatever rate it takes.")
    ] = False,
    wait: Annotated[bool, Option("--wait/--no-wait", help="Show the progress until the node is empty.")] = True,
    as_json: AsJson = False,
) -> None:
    """Empty a node: it gets no new connections, and the balancer moves its connections to other nodes at its usual
    pace.

    Then the node can be stopped unnoticed. `ringway undrain` ends the drain. Ctrl-C ends the display, not the drain.
    """
    within_s = read_drain_within(within)
    if force and not within_s:
        raise ConfigError("--force is about a deadline; give it with --within, such as --within 60s")

    async def work() -> Drained:
        async with joined(system) as (engine, members):
            report = need_node(members, node)
            if wait and count_present(report):
                _need_another(members, node)
            if within_s:
                judged = await ask_leader(engine, DrainRequest(node=report.name, within_s=within_s, force=force))
                if not as_json and judged.connections:
                    say(leaving(node, judged))
            else:
                await ask_node(engine, report, SetState(draining=True))
            if not wait:
                return Drained(node=node, connections=count_present(report), moved=0, seconds=0.0)
            return await watch_until_empty(engine, members, node, quiet=as_json)

    done = run_async(work())
    if as_json:
        say_json(done)
    elif wait:
        left = f"{counted(done.moved, 'connection')} left it in {done.seconds:.0f} s"
        say(f"{node} is empty: {left}{outcomes_in_words(done.outcomes, done.moved)}")
    else:
        say(f"{node} drains: {counted(done.connections, 'connection')} to move; `ringway top` shows it")


def _need_another(members: Feed, node: str) -> None:
    nodes = [report for report in members.live.values() if report.role is Role.NODE]
    group = next((group_of(report) for report in nodes if report.name == node), "")
    others = [report for report in nodes if report.name != node and group_of(report) == group]
    if any(report.state is NodeState.ACTIVE for report in others):
        return
    several = len({group_of(report) for report in nodes}) > 1
    remedy = "start one with `ringway node`" if group == CHANNELS else "add a backend to it"
    raise ConfigError(
        f"no other node{f' of the group {group}' if several else ''} takes connections, so those of {node} cannot be "
        f"moved; {remedy}, or use --no-wait to keep new clients away all the same"
    )
