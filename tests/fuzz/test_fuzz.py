"""A minute of fuzzing over every parser that reads data from strangers; `scripts/fuzz` runs longer."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SECONDS = 60


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no build for this Python and machine"
)
def test_a_minute_without_a_finding(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz.campaign", str(SECONDS)]
    environment = {"PYTHONPATH": str(TESTS), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=240)
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr[-8000:]}"
