"""`ringway undrain`: ends the drain of a node."""

from ringway.app.config import Layer
from ringway.cli.cluster import ask_node, joined, need_node
from ringway.cli.drain import NodeArgument
from ringway.cli.option import AdminUrl, ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.cli.terminal import say
from ringway.protocol.order import SetState


@takes_settings("engine")
def undrain(
    flags: Layer, node: NodeArgument, config_file: ConfigFile = None, state: StateDir = None, admin: AdminUrl = None
) -> None:
    """End the drain of a node: it gets new connections again, and the balancer fills it to its fair share."""

    async def work() -> None:
        async with joined(flags, config_file, state, admin) as (engine, members):
            await ask_node(engine, need_node(members, node), SetState(draining=False))

    run_async(work())
    say(f"{node} takes connections again")
