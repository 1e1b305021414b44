"""`ringway rebalance`: shows the balancer's plan, and has it carried out."""

from typing import Annotated

from ringway.app.config import Layer
from ringway.cli.cluster import ANSWER_S, joined
from ringway.cli.command import Option
from ringway.cli.counted import counted
from ringway.cli.option import AsJson, ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async
from ringway.cli.terminal import say_json
from ringway.errors import NoAnswer, RingwayError
from ringway.protocol.order import BALANCER, PlanAnswer, Rebalance, decode_plan_answer, encode


@takes_settings("engine")
def rebalance(
    flags: Layer,
    dry_run: Annotated[bool, Option("--dry-run", help="Only show the plan.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Balance the connections now, down to the last one, without waiting until a node is far off its share.

    The balancer does that by itself where the difference is worth it; this is for the rest. It shows the plan:
    the fewest moves that balance, and how fast they will be made.
    """

    async def ask() -> PlanAnswer:
        async with joined(flags, config_file, state) as (engine, _):
            try:
                raw = await engine.bus.call(BALANCER, encode(Rebalance(dry_run=dry_run)), timeout_s=ANSWER_S)
            except NoAnswer:
                raise RingwayError(
                    "no balancer answers: it runs in the gateways, and a new one leads a few seconds after its start"
                ) from None
            return decode_plan_answer(raw)

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
    for name in ("from", "holds", "fair share", "to", "holds", "fair share", "moves"):
        table.add_column(name, justify="left" if name in ("from", "to") else "right")
    for quota in answer.quotas:
        sides = (quota.donor, quota.target)
        cells = [
            (name, f"{answer.load.get(name, 0):,.0f}", f"{answer.fair[name]:,.0f}" if name in answer.fair else "-")
            for name in sides
        ]
        table.add_row(*cells[0], *cells[1], f"{quota.count:,}")
    console.print(table)
    moves = sum(quota.count for quota in answer.quotas)
    seconds = moves / answer.moves_per_s if answer.moves_per_s else 0.0
    pace = f"{counted(moves, 'move')}, {answer.moves_per_s:,.0f} a second: about {seconds:,.0f} s"
    begun = (
        f"It begins when moves go on; they are frozen: {answer.frozen}" if answer.frozen else "The balancer has begun"
    )
    console.print(f"{pace}. {'Nothing was moved (--dry-run)' if dry_run else begun}.")
    window = f"{answer.reconnect_window_s:,.0f} s"
    console.print(f"If a node died now, its clients should take {window} to come back.", style="dim")
