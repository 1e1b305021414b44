"""The TypeScript client keeps the vectors, its types and its size; the demo page's types hold. Run by Node.js."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "typescript"
DEADLINE_S = 100

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or not (CLIENT / "dist").exists(),
    reason="needs Node.js, npm and the built client; scripts/test sees to all three",
)


def run(directory: Path, script: str) -> str:
    done = subprocess.run(
        ["npm", "run", "--silent", script], cwd=directory, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(CLIENT, "test")
    assert "# fail 0" in said
    assert "P-7.10" in said or "P-7.11" in said  # the vectors were among them
    size = next(line for line in said.splitlines() if "bytes, gzipped" in line)
    with capsys.disabled():
        print(f"\n{size.strip('# ')}")  # noqa: T201


def test_the_types_of_the_demo_page() -> None:
    run(ROOT / "examples" / "chat", "check")
