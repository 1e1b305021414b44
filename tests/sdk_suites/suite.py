"""The suites: where each comes from, how it is run, and how its report is read.

Nothing of a suite is changed. It expects a server at port 8000 of this machine.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PORT = 8000
SECRET = "secret"
"""The key of the tokens that the suites send."""

_TEST = re.compile(r"^\S+::(\w+)::(\w+) (PASSED|FAILED|ERROR|SKIPPED)", re.MULTILINE)
_SUBTEST = re.compile(r"^SUBFAILED\((.*)\) \S+::(\w+)::(\w+)(.*)", re.MULTILINE)
_OUTCOMES = {"PASSED": "passed", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "skipped"}

TEST_S = 30.0
"""The time that one test may take where each has a process of its own."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The outcome of one test: `passed`, `failed` or `skipped`; of a failed one the first lines of its message."""

    name: str
    outcome: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite. `commit` names the state that was read when the reasons of failures were written."""

    name: str
    commit: str
    install: Callable[[Path], None]
    run: Callable[[Path, float], list[TestResult]]

    @property
    def url(self) -> str:
        """The address of its repository."""
        return f"https://github.com/centrifugal/centrifuge-{self.name}"


def _call(
    command: Sequence[str], directory: Path, deadline_s: float = 1200.0, environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=directory, env={**os.environ, **(environ or {})}, capture_output=True, text=True,
        timeout=deadline_s, check=False,
    )  # fmt: skip


def _install(command: Sequence[str], directory: Path) -> None:
    done = _call(command, directory)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} in {directory} failed:\n{done.stderr[-2000:]}")


# JavaScript


def install_js(directory: Path) -> None:
    """Install the packages of the JavaScript suite."""
    if not (directory / "node_modules").is_dir():
        _install(
            ("npm", "install", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-package-lock"), directory
        )


def run_js(directory: Path, deadline_s: float) -> list[TestResult]:
    """Run the JavaScript suite, one file after another, each in a process of its own.

    Timers of tests that have failed go off later. They would fail tests of other files, and end the process.
    """
    report = directory / "ringway-report.json"
    results = []
    for file in sorted(directory.glob("src/*.test.ts")):
        report.unlink(missing_ok=True)
        name = str(file.relative_to(directory))
        command = ("npx", "jest", "--runInBand", "--forceExit", "--json", f"--outputFile={report}", name)
        done = _call(command, directory, deadline_s, {"NODE_OPTIONS": "--unhandled-rejections=warn"})
        if report.exists():
            results += read_jest(json.loads(report.read_text()))
        else:
            results.append(TestResult(f"{name}: no report", "failed", done.stderr[-1000:]))
    return results


def read_jest(report: Mapping[str, object]) -> list[TestResult]:
    """Return the tests of a report of Jest (`--json`)."""
    results = []
    for file in report["testResults"]:  # type: ignore[attr-defined]
        prefix = Path(file["name"]).name.removesuffix(".test.ts")
        for test in file["assertionResults"]:
            outcome = {"passed": "passed", "failed": "failed"}.get(test["status"], "skipped")
            message = "\n".join(test["failureMessages"])[:1000]
            results.append(TestResult(f"{prefix}: {test['fullName']}", outcome, message))
    return results


# Python


def install_python(directory: Path) -> None:
    """Make the Python suite's own environment."""
    if not (directory / ".venv").is_dir():
        _install((sys.executable, "-m", "venv", ".venv"), directory)
        _install(
            (".venv/bin/python", "-m", "pip", "install", "--quiet", "-e", ".", "pytest", "pytest-timeout"), directory
        )


def run_python(directory: Path, deadline_s: float) -> list[TestResult]:
    """Run the Python suite."""
    # Functions outside of classes are no tests there, although some have a name like one.
    options = ("-v", f"--timeout={TEST_S:g}", "-o", "python_functions=", "tests")
    return read_pytest(_call((".venv/bin/python", "-m", "pytest", *options), directory, deadline_s).stdout)


def read_pytest(output: str) -> list[TestResult]:
    """Return the tests in the output of pytest (`-v`); each subtest that fails is a test of its own, by its case."""
    results: dict[str, TestResult] = {}
    partly = {(match[2], match[3]) for match in _SUBTEST.finditer(output)}
    for match in _SUBTEST.finditer(output):
        name = f"{match[2]}.{match[3]} ({match[1]})"
        results[name] = TestResult(name, "failed", match[4].removeprefix(" - "))
    for match in _TEST.finditer(output):
        name, outcome = f"{match[1]}.{match[2]}", _OUTCOMES[match[3]]
        if (match[1], match[2]) not in partly:
            results[name] = TestResult(name, outcome)
    return list(results.values())


# Go


def install_go(directory: Path) -> None:
    """Build the Go suite."""
    _install(("go", "test", "-c", "-o", "ringway.test", "."), directory)


def run_go(directory: Path, deadline_s: float) -> list[TestResult]:
    """Run the Go suite: each test in a process of its own, since some wait for ever for what does not come."""
    names = _call(("./ringway.test", "-test.list", "^Test"), directory).stdout.split()
    each_s = min(TEST_S, deadline_s)
    results = []
    for name in names:
        command = (
            "go",
            "tool",
            "test2json",
            "./ringway.test",
            "-test.v",
            f"-test.run=^{name}$",
            f"-test.timeout={each_s:.0f}s",
        )
        results += read_go(_call(command, directory, each_s + 60).stdout)
    return results


def read_go(events: str) -> list[TestResult]:
    """Return the tests of the events of `go test -json`; a test that never ended has failed."""
    outcomes: dict[str, str] = {}
    output: dict[str, str] = {}
    for line in events.splitlines():
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        name = event.get("Test", "")
        if not name:
            continue
        if event["Action"] == "run":
            outcomes[name] = "failed"
        elif event["Action"] in ("pass", "fail", "skip"):
            outcomes[name] = {"pass": "passed", "fail": "failed", "skip": "skipped"}[event["Action"]]
        elif event["Action"] == "output":
            output[name] = (output.get(name, "") + event["Output"])[-1000:]
    return [
        TestResult(name, outcome, output.get(name, "") if outcome == "failed" else "")
        for name, outcome in outcomes.items()
    ]


SUITES = {
    suite.name: suite
    for suite in (
        Suite("js", "c9e8678", install_js, run_js),
        Suite("python", "1315468", install_python, run_python),
        Suite("go", "f94d5b3", install_go, run_go),
    )
}
