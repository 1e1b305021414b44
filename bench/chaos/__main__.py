"""`scripts/bench chaos [NAME]`: run one scenario at its full size, or `--small`, and say what came of it."""

import argparse
import json
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chaos.scenario import Outcome, Size, load_scenario, names
from report import machine

ROWS = ("clients", "delivered", "lost", "announced", "silent", "doubled", "reordered", "unexpected", "recovered",
        "unrecovered", "away", "divergent", "losers", "closed_clients", "closes", "silence_ms", "back_ms")  # fmt: skip


def read_arguments() -> argparse.Namespace:
    """Scenario, size, and where the JSON goes."""
    made = argparse.ArgumentParser(prog="scripts/bench chaos", description=__doc__)
    made.add_argument("name", nargs="?", choices=names())
    made.add_argument("--small", action="store_true", help="the size that the tests run")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the verdict there as well")
    for each in fields(Size):
        if each.name not in ("kinds", "environ"):
            made.add_argument(f"--{each.name}", type=_flag if each.type is bool else each.type)
    made.add_argument("--kinds", type=lambda text: tuple(text.split(",")), help="of proxy,sdk,socket")
    return made.parse_args()


def _flag(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def show(outcome: Outcome) -> None:
    """Print the verdict as a table, and what speaks against it."""
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    verdicts = {kind: verdict.as_json({}) for kind, verdict in outcome.report.verdicts.items()}
    table = Table("", *verdicts, title=f"{outcome.scenario}, seed {outcome.size.seed}", title_justify="left")
    for row in ROWS:
        table.add_row(row, *(_cell(verdict[row]) for verdict in verdicts.values()))
    console.print(table)
    for name, value in outcome.measured.items():
        console.print(f"{name}: {value:,.4g}")
    for claim in outcome.claims:
        console.print(claim.sentence(), style="green" if claim.held else "bold red")
    for line in outcome.report.faults(may_announce=outcome.may_announce):
        console.print(line, style="bold red")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {count:,}" for key, count in value.items()) or "none"
    return f"{value:,}"


def main() -> int:
    """Run a scenario, or list them."""
    arguments = read_arguments()
    if arguments.name is None:
        for name in names():
            print(f"{name:<18}{(load_scenario(name).__doc__ or '').splitlines()[0]}")
        return 0
    scenario = load_scenario(arguments.name)
    size = scenario.SMALL if arguments.small else scenario.FULL
    given = {each.name: getattr(arguments, each.name, None) for each in fields(Size)}
    size = replace(size, **{name: value for name, value in given.items() if value is not None})
    print(f"{arguments.name}: seed {size.seed}", flush=True)
    outcome = scenario.run(size)
    show(outcome)
    if arguments.json:
        body = outcome.as_json() | {"machine": machine(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(body, indent=2) + "\n")
    return 1 if outcome.against() else 0


if __name__ == "__main__":
    sys.exit(main())
