"""`ringway moves`: the decisions of the balancers."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from ringway.cli.cluster_view import ask_problems, pause_line, pauses_of, view_cluster
from ringway.cli.command import Option
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import gateways
from ringway.cli.terminal import say_json, tell
from ringway.core.move_outcomes import MoveOutcomes
from ringway.protocol.control import Decision, Decisions, ListDecisions, newest

if TYPE_CHECKING:
    from rich.console import RenderableType

PAIRS_SHOWN = 4


@finds_system
def moves(
    system: SystemChoice,
    count: Annotated[int, Option("--count", "-n", metavar="N", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the balancers' decisions, the newest first: time, reason, donors and targets, and the outcome.

    Before them it says of each group in which no moves are ordered now, why: they are frozen by an operator or by the
    balancer's guard, or the members have just changed. With --json this is on stderr, and `ringway nodes --json` has it
    in `frozen`.

    Each gateway stores the latest decisions of its own balancer while it runs.
    """

    async def ask() -> tuple[list[Decision], list[str]]:
        async with gateways(system) as found:
            answers = await found.ask_all(ListDecisions(count=count))
            pauses = pauses_of(await ask_problems(found))
            groups = view_cluster(found.members, ()).groups
        told = (decision for answer in answers if isinstance(answer, Decisions) for decision in answer.decisions)
        return newest(told, count), [pause_line(pause, groups) for pause in pauses]

    decisions, pauses = run_async(ask())
    if as_json:
        for line in pauses:
            tell(line)
        say_json(decisions)
        return
    from ringway.cli.table import make_console, words

    console = make_console()
    for line in pauses:
        console.print(words(line, "yellow"))
    if decisions:
        console.print(moves_table(decisions))
    else:
        console.print("No moves were decided since the gateways began: `ringway rebalance --dry-run` says why.")


def moves_table(decisions: Sequence[Decision]) -> "RenderableType":
    """Return a table of decisions, a row for each."""
    from rich.table import Table

    from ringway.cli.table import words

    table = Table(box=None, pad_edge=False, header_style="dim")
    numbers = ("ordered", "seconds")
    grouped = len({each.group for each in decisions}) > 1
    for name in (
        "when",
        "gateway",
        *(["group"] if grouped else []),
        "cause",
        "from → to",
        *numbers,
        "sessions",
        "outcome",
        "reason",
    ):
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name in ("when", "from → to"))
    for each in decisions:
        table.add_row(
            _when(each.at),
            each.gateway,
            *([each.group] if grouped else []),
            words(each.cause, "bold"),
            _pairs(each),
            f"{each.ordered:,} of {each.planned:,}",
            f"{each.seconds:,.0f}",
            _sessions(each),
            words(each.outcome, _STYLES.get(each.outcome.partition(":")[0], "yellow")),
            words(each.reason, "dim"),
        )
    return table


_STYLES = {"done": "green", "under way": "cyan", "superseded": "dim"}


def _when(at: float) -> str:
    """Return the time of day, with the date if it was not today."""
    moment = time.localtime(at)
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", moment)
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", moment)


def _sessions(decision: Decision) -> str:
    """Return the outcomes of the sessions, an outcome a line."""
    outcomes = MoveOutcomes(decision.handed_over, decision.reconnected, decision.lost, decision.apart)
    return str(outcomes).replace(", ", "\n") if outcomes.total else "-"


def _pairs(decision: Decision) -> str:
    """Return the pairs of donor and target, one a line; only the largest if there are many."""
    quotas = sorted(decision.quotas, key=lambda quota: -quota.count)
    lines = [f"{quota.donor} → {quota.target}  {quota.count:,}" for quota in quotas[:PAIRS_SHOWN]]
    if len(quotas) > PAIRS_SHOWN:
        rest = sum(quota.count for quota in quotas[PAIRS_SHOWN:])
        lines.append(f"and {len(quotas) - PAIRS_SHOWN} more pairs  {rest:,}")
    return "\n".join(lines) or "-"
