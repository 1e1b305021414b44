"""`ringway nodes`: the members of the system."""

from ringway.admin.member import Cluster, describe
from ringway.cli.cluster import joined
from ringway.cli.cluster_view import ask_problems, frozen_lines, view_cluster
from ringway.cli.grid import draw_grid
from ringway.cli.member_grid import gateways_grid, nodes_grid, problem_lines, strangers_grid
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import Gateways
from ringway.cli.terminal import is_styled, say, say_drawn, say_json, width_of_output
from ringway.member.feed import Feed
from ringway.protocol.control import NodeProblems


@finds_system
def nodes(
    system: SystemChoice,
    as_json: AsJson = False,
) -> None:
    """List the nodes with their load against their fair share, the gateways, and members that are not believed.

    With --json: an array with an object for each node, equal to the admin port's answer at /v1/nodes.
    """

    def show_strangers(members: Feed) -> None:
        if not as_json:
            cluster = describe((), strangers=members.strangers.rows())
            say_drawn(draw_grid(strangers_grid(cluster), width_of_output(), styled=is_styled()))

    async def ask() -> Cluster:
        async with joined(system, on_strangers=show_strangers) as (engine, members):
            told[:] = await ask_problems(Gateways(engine, members))
            return view_cluster(members, told)

    told: list[NodeProblems] = []
    cluster = run_async(ask())
    if as_json:
        say_json(cluster.nodes)
        return
    width, styled = width_of_output(), is_styled()
    if cluster.nodes or cluster.gateways:
        say_drawn(draw_grid(nodes_grid(cluster), width, styled=styled))
        say("")
        say_drawn(draw_grid(gateways_grid(cluster), width, styled=styled))
    else:
        say("Nobody is there. Start a node with `ringway node`, a gateway with `ringway gateway`.")
    if cluster.strangers:
        say("")
        say_drawn(draw_grid(strangers_grid(cluster), width, styled=styled))
    for line in frozen_lines(told, cluster):
        say(f"\n{line}")
    for line in problem_lines(cluster):
        say(f"\n{line}")
