"""Report of a benchmark: the flags, the printed table, the JSON file, and the machine."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Claim:
    """A number that the project promises: `value` must not be above `at_most`, or not below `at_least`."""

    what: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def held(self) -> bool:
        """True if the measured value is within the bound."""
        above = self.at_most is not None and self.value > self.at_most
        below = self.at_least is not None and self.value < self.at_least
        return not above and not below

    def sentence(self) -> str:
        """The claim as a line of text."""
        bound = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return f"{'held' if self.held else 'MISSED'}: {self.what} {self.value:.4g} ({bound})"


@dataclass(slots=True)
class Result:
    """The outcome of one benchmark."""

    name: str
    columns: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the flags that every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    made.add_argument("--quick", action="store_true", help="a short run, to see that it works; its numbers are rough")
    return made


def machine() -> dict[str, Any]:
    """The machine and the interpreter, as far as they affect the numbers."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
    }


def publish(result: Result, json_file: Path | None) -> None:
    """Print the table and the claims; write the JSON if requested."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(title=result.name, title_justify="left")
    for column in result.columns:
        table.add_column(column, justify="left" if column == result.columns[0] else "right")
    for row in result.rows:
        table.add_row(*(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(table)
    for claim in result.claims:
        console.print(claim.sentence(), style="green" if claim.held else "bold red", highlight=False)
    if json_file is not None:
        body = asdict(result) | {"machine": machine(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(body, indent=2) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted `values` are."""
    return values[min(len(values) - 1, int(len(values) * share))]
