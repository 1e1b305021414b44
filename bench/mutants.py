"""Mutants: faults in the code, made on purpose. A test that never failed proves nothing: chaos runs must find each.

Each mutant is a few exact replacements in a temporary copy of `src`; the working tree is not touched. The quickest
scenario that must find it runs on the copy, and the mutant is caught if the verdict is as expected. Exit code 1: a
mutant survived, or ended a run without a verdict; 2: a replacement no longer applies.

    scripts/mutants [NAME...]     run all, or those
    scripts/mutants --list        list all
    scripts/mutants --check       only check that they apply
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from mutant_list import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
RUN_S = 240.0


class Stale(Exception):
    """A replacement does not apply to the code as it is now."""


def source_of(path: str) -> Path:
    """The file that a mutant names."""
    return ROOT / "src" / "ringway" / path


def mutate(mutant: Mutant, root: Path) -> None:
    """Apply the mutant to the copy of `src/ringway` in `root`; raise `Stale` if its text is not there exactly once."""
    for edit in mutant.edits:
        path = root / edit.path
        text = path.read_text() if path.exists() else ""
        count = text.count(edit.old)
        if count != 1:
            raise Stale(f"{mutant.name}: {edit.path} holds {count} times, not once:\n{edit.old}")
        path.write_text(text.replace(edit.old, edit.new))
        compile(path.read_text(), str(path), "exec")


def check(mutant: Mutant) -> None:
    """Check that the mutant applies; raise `Stale`."""
    with tempfile.TemporaryDirectory(prefix="ringway-mutant-") as directory:
        copy = Path(directory)
        for edit in mutant.edits:
            target = copy / edit.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source_of(edit.path).exists():
                shutil.copy(source_of(edit.path), target)
        mutate(mutant, copy)


@dataclass(slots=True)
class Trial:
    """The verdict of a scenario on a mutant."""

    mutant: Mutant
    caught: bool
    said: list[str] = field(default_factory=list)


def run(mutant: Mutant) -> Trial:
    """Run the mutant's scenario on a copy with the fault in it."""
    with tempfile.TemporaryDirectory(prefix="ringway-mutant-") as directory:
        copy, verdict = Path(directory) / "src", Path(directory) / "verdict.json"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        mutate(mutant, copy / "ringway")
        command = [sys.executable, "-m", "chaos", mutant.scenario, "--small", "--json", str(verdict)]
        command += [text for name, value in mutant.size.items() for text in (f"--{name}", value)]
        environ = os.environ | {"PYTHONPATH": f"{copy}{os.pathsep}{ROOT / 'bench'}{os.pathsep}{ROOT / 'tests'}"}
        try:
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=RUN_S, check=False, cwd=directory
            )
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            return Trial(mutant, False, [f"no verdict within {RUN_S:g} s"])
        if not verdict.exists():
            return Trial(mutant, False, [f"no verdict: {output.strip().rpartition(chr(10))[2]}"])
        against = json.loads(verdict.read_text())["against"]
        caught = any(word in line for line in against for word in mutant.finds)
        return Trial(mutant, caught, against)


def main() -> int:
    """Run the requested mutants."""
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--check", action="store_true", help="only see that they apply")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.name or mutant.name in arguments.name]
    if unknown := set(arguments.name) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.name:<34}{mutant.scenario:<18}{mutant.fault}")
        return 0
    try:
        for mutant in chosen:
            check(mutant)
    except Stale as stale:
        print(f"a mutant no longer applies; bring it up to date: {stale}", file=sys.stderr)
        return 2
    if arguments.check:
        return 0
    survived = 0
    for mutant in chosen:
        trial = run(mutant)
        survived += not trial.caught
        print(f"{'caught' if trial.caught else 'SURVIVED':<10}{mutant.name:<34}{mutant.scenario:<18}", end="")
        print("; ".join(trial.said[:3]) or "nothing was said", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
