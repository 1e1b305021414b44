"""`ringway undrain`: ends the drain of a node."""

from ringway.cli.cluster import ask_node, joined, need_node
from ringway.cli.drain import NodeArgument
from ringway.cli.option import SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.terminal import say
from ringway.protocol.order import SetState
from ringway.protocol.report import Report
from ringway.types import NodeState


@finds_system
def undrain(system: SystemChoice, node: NodeArgument) -> None:
    """End the drain of a node: it gets new connections again, and the balancer fills it to its fair share."""

    async def work() -> Report:
        async with joined(system) as (engine, members):
            report = need_node(members, node)
            await ask_node(engine, report, SetState(draining=False))
            return report

    say(what_changed(run_async(work())))


def what_changed(before: Report) -> str:
    """Return what the end of a drain has changed for a node, by its report before that."""
    if before.state is NodeState.ACTIVE:
        return f"{before.name} did not drain: nothing was changed"
    return f"{before.name} takes connections again"
