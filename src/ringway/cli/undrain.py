"""`ringway undrain`: ends the drain of a node."""

from ringway.app.config import Layer
from ringway.cli.cluster import ask_node, joined, need_node
from ringway.cli.drain import NodeArgument
from ringway.cli.option import AdminUrl, ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.cli.terminal import say
from ringway.protocol.order import SetState
from ringway.protocol.report import Report
from ringway.types import NodeState


@takes_settings("engine")
def undrain(
    flags: Layer, node: NodeArgument, config_file: ConfigFile = None, state: StateDir = None, admin: AdminUrl = None
) -> None:
    """End the drain of a node: it gets new connections again, and the balancer fills it to its fair share."""

    async def work() -> Report:
        async with joined(flags, config_file, state, admin) as (engine, members):
            report = need_node(members, node)
            await ask_node(engine, report, SetState(draining=False))
            return report

    say(what_changed(run_async(work())))


def what_changed(before: Report) -> str:
    """Return what the end of a drain has changed for a node, by its report before that."""
    if before.state is NodeState.ACTIVE:
        return f"{before.name} did not drain: nothing was changed"
    return f"{before.name} takes connections again"
