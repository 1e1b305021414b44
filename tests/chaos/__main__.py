"""`scripts/bench chaos [NAME]`: run one scenario at its full size, or `--small`, and print the result."""

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
from support.fleet import FLEETS

COUNTS = ("clients", "delivered", "lost", "announced", "silent", "doubled", "reordered", "unexpected", "unrecovered",
          "away", "divergent", "reasons")  # fmt: skip
TIMES = ("silence_ms", "back_ms")


def read_arguments() -> argparse.Namespace:
    """Scenario, size, and the file for the JSON."""
    made = argparse.ArgumentParser(prog="scripts/bench chaos", description=__doc__)
    made.add_argument("name", nargs="?", choices=names())
    made.add_argument("--small", action="store_true", help="the size that the tests run")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the verdict there as well")
    for each in fields(Size):
        if each.type in (int, float):
            made.add_argument(f"--{each.name}", type=each.type)
    made.add_argument("--engine", choices=FLEETS, help="the servers of the engine; else NATS, as `ringway up` runs it")
    made.add_argument("--kinds", type=_names, help="of proxy,sdk,follow,socket")
    made.add_argument(
        "--environ", type=_settings, metavar="NAME=VALUE,…", help="settings of the system, beside the size's"
    )
    made.add_argument("--publishers", type=_names, help="the kinds of the publishers' connections")
    made.add_argument("--prefixes", type=_names, help="room: (with history), plain: (without), or both")
    return made.parse_args()


def _settings(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def show(outcome: Outcome) -> None:
    """Print the verdict as a table, and its problems."""
    console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
    table = Table("", *COUNTS, *(f"{name} p50 / p99" for name in TIMES), title_justify="left")
    table.title = f"{outcome.scenario}, seed {outcome.size.seed}"
    for group, verdict in outcome.report.verdicts.items():
        said = verdict.as_json({})
        times = (said[name] for name in TIMES)
        cells = [f"{spread['p50']:,.0f} / {spread['p99']:,.0f}" if spread else "" for spread in times]
        table.add_row(group, *(_cell(said[name]) for name in COUNTS), *cells)
    console.print(table)
    late = outcome.report.status["clients_late_s"]
    console.print(f"the clients' own processes were late by {late['p99']:g} s at p99, {late['max']:g} s at most")
    for name, value in outcome.measured.items():
        console.print(f"{name}: {value:,.4g}")
    for claim in (*outcome.claims, *outcome.paces):
        console.print(claim.sentence(), style="green" if claim.held else "bold red")
    for line in outcome.report.faults(outcome.may_announce):
        console.print(line, style="bold red")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {count:,}" for key, count in value.items())
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
    if given["environ"] is not None:
        given["environ"] = size.environ | given["environ"]
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
