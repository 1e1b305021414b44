#!/usr/bin/env python3
"""Names of tests: collect them in two different worlds, and refuse names that differ.

pytest-xdist gives up if two of its processes collect different names, and a test that changes its name cannot be
run again. So no name may depend on the time, on chance or on the machine: give such parameters ids.

Usage: scripts/collect.py [PYTEST-ARGUMENTS]. Prints the names that differ and exits with 1 if there are any.
"""

import os
import subprocess
import sys
import tempfile
from difflib import unified_diff
from pathlib import Path

_DAY_S = 86_400.0

_COLLECT = """
import os, random, socket, sys, time, pytest
shift_s, seed = float(sys.argv[1]), int(sys.argv[2])
wall_s, wall_ns = time.time, time.time_ns
time.time = lambda: wall_s() + shift_s
time.time_ns = lambda: wall_ns() + int(shift_s * 1e9)
random.seed(seed)
os.cpu_count = lambda: seed
socket.gethostname = lambda: f"machine-{seed}"
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[3:]]))
"""


def start(seed: int, home: str, arguments: list[str]) -> subprocess.Popen[str]:
    """Start a process that prints the names of all tests, in a world of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "HOME": home, "TMPDIR": home, "TZ": f"UTC{seed}"}
    command = [sys.executable, "-c", _COLLECT, str(seed * _DAY_S), str(seed), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def names(process: subprocess.Popen[str]) -> list[str]:
    """Return the names that `process` prints; exit if it could not collect them."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the tests cannot be collected:\n{output}")
    return [line for line in output.split("\n") if "::" in line]


def main() -> int:
    """Compare both worlds, which are collected at the same time."""
    os.chdir(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, second = (start(seed, home, sys.argv[1:]) for seed, home in ((1, one), (2, two)))
        here, there = names(first), names(second)
    differences = [line for line in unified_diff(here, there, lineterm="", n=0) if line[1:2] not in "+-@"]
    found = [f"{line}\n" for line in differences]
    sys.stdout.write("".join(found) or f"names of tests: {len(here)}, the same in two worlds\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
