"""`ringway rebalance`: shows the balancer's plan, and makes the balancer carry it out."""

from typing import Annotated

from ringway.cli.cluster import joined
from ringway.cli.command import Option
from ringway.cli.counted import counted
from ringway.cli.option import AsJson, OneGroup, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.terminal import say_json
from ringway.errors import ConfigError
from ringway.member.leader_call import ASKS, call_plan
from ringway.protocol.order import PlanAnswer


@finds_system
def rebalance(
    system: SystemChoice,
    dry_run: Annotated[bool, Option("--dry-run", help="Only show the plan.")] = False,
    group: OneGroup = "",
    as_json: AsJson = False,
) -> None:
    """Balance the connections now, to the last one, without waiting until a node is far off its fair share.

    The balancer moves connections by itself only if the difference is worth it; this moves the rest. It shows the plan:
    the fewest moves that balance, and their pace.
    """

    async def ask() -> PlanAnswer:
        async with joined(system) as (engine, _):
            plan = await call_plan(engine.bus, dry_run=dry_run, group=group, asks=ASKS)
            if plan.why:
                raise ConfigError(plan.why)
            return plan

    answer = run_async(ask())
    if as_json:
        say_json(answer)
    else:
        _show(answer, dry_run=dry_run)


def _show(answer: PlanAnswer, *, dry_run: bool) -> None:
    from rich.table import Table

    from ringway.cli.table import make_console

    console = make_console()
    console.print(answer.reason + ".")
    if not answer.quotas:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    grouped = len(set(answer.groups.values())) > 1
    for name in (*(["group"] if grouped else []), "from", "holds", "fair share", "to", "holds", "fair share", "moves"):
        table.add_column(name, justify="left" if name in ("group", "from", "to") else "right")
    for quota in answer.quotas:
        sides = (quota.donor, quota.target)
        cells = [
            (name, f"{answer.load.get(name, 0):,.0f}", f"{answer.fair[name]:,.0f}" if name in answer.fair else "-")
            for name in sides
        ]
        named = [answer.groups.get(quota.donor, "")] if grouped else []
        table.add_row(*named, *cells[0], *cells[1], f"{quota.count:,}")
    console.print(table)
    moves = sum(quota.count for quota in answer.quotas)
    if answer.needs_s:
        pace = f"{moves / answer.needs_s:,.0f} a second: about {answer.needs_s:,.0f} s"
    else:
        pace = "but a target is busy with clients that come by themselves, and accepts no moves now"
    begun = (
        f"It begins when moves go on; they are frozen: {answer.frozen}" if answer.frozen else "The balancer has begun"
    )
    console.print(f"{counted(moves, 'move')}, {pace}. {'Nothing was moved (--dry-run)' if dry_run else begun}.")
    window = f"{answer.reconnect_window_s:,.0f} s"
    console.print(f"If a node died now, its clients should take {window} to come back.", style="dim")
