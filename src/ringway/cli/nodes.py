"""`ringway nodes`: who is there."""

from ringway.admin.member import Cluster, describe
from ringway.app.config import Layer
from ringway.cli.cluster import joined
from ringway.cli.grid import draw_plain, gateways_grid, is_plain, nodes_grid
from ringway.cli.option import AsJson, ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.cli.terminal import say, say_json


@takes_settings("engine")
def nodes(flags: Layer, as_json: AsJson = False, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """List the nodes with their load against their fair share, and the gateways.

    With --json: an array with an object for each node, as the admin port answers at /v1/nodes.
    """

    async def ask() -> Cluster:
        async with joined(flags, config_file, state) as (_, members):
            return describe(members.live.values())

    cluster = run_async(ask())
    if as_json:
        say_json(cluster.nodes)
        return
    if not cluster.nodes and not cluster.gateways:
        say("Nobody is there. Start a node with `ringway node`, a gateway with `ringway gateway`.")
        return
    if is_plain():
        drawn = draw_plain(nodes_grid(cluster)), draw_plain(gateways_grid(cluster))
        if drawn[0] is not None and drawn[1] is not None:
            say("\n".join([*drawn[0], "", *drawn[1]]))
            return
    from ringway.cli.table import gateways_table, make_console, nodes_table

    console = make_console()
    console.print(nodes_table(cluster))
    console.print()
    console.print(gateways_table(cluster))
