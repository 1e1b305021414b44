"""Runs the suites and prints what passes, and each test that fails with its reason. See `scripts/test-sdk-suites`."""

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdk_suites.reasons import reason_of
from sdk_suites.server import WAYS, serving
from sdk_suites.suite import SUITES, Suite, TestResult


def fetch(suite: Suite, directory: Path, source: Path | None) -> Path:
    """Return a copy of the suite's repository below `directory`, from `source` or from its own address."""
    copy = directory / f"centrifuge-{suite.name}"
    if not copy.is_dir():
        origin = str(source / copy.name) if source else suite.url
        subprocess.run(("git", "clone", "--quiet", origin, str(copy)), check=True)
        subprocess.run(("git", "-C", str(copy), "checkout", "--quiet", suite.commit), check=True)
    return copy


def show(suite: str, way: str, results: Sequence[TestResult]) -> int:
    """Print the outcome; return the number of failures without a reason."""
    counts = Counter(result.outcome for result in results)
    failed = [(result, reason_of(suite, result.name)) for result in results if result.outcome == "failed"]
    unexplained = [result for result, reason in failed if not reason]
    print(f"{suite}, {way}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    for reason, count in Counter(reason for _, reason in failed if reason).most_common():
        print(f"  {count} fail: {reason}")
    for result in unexplained:
        lines = (line.strip() for line in result.message.splitlines())
        first = next((line for line in lines if line and not line.startswith("===")), "")
        print(f"  UNEXPLAINED {result.name}: {first[:160]}")
    return len(unexplained)


def main() -> int:
    """Run what the arguments name; return 1 if a test fails without a known reason."""
    flags = argparse.ArgumentParser(prog="scripts/test-sdk-suites", description=__doc__)
    flags.add_argument("suites", nargs="*", choices=[*SUITES, []], help="which suites; all if none is named")
    flags.add_argument("--way", action="append", choices=WAYS, help="how Ringway is reached; all if not given")
    flags.add_argument("--from", dest="source", type=Path, help="a directory with clones of the repositories")
    flags.add_argument("--build", type=Path, required=True, help="where the suites are installed")
    flags.add_argument("--deadline", type=float, default=1200.0, help="seconds for one run of one suite")
    given = flags.parse_args()
    unexplained = 0
    given.build.mkdir(parents=True, exist_ok=True)
    for name in given.suites or SUITES:
        suite = SUITES[name]
        directory = fetch(suite, given.build, given.source)
        suite.install(directory)
        for way in given.way or WAYS:
            with serving(name, way):
                unexplained += show(name, way, suite.run(directory, given.deadline))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
