"""Members of the last release: the code of the commit that `tests/conformance/members/LAST` names."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAST = ROOT / "tests" / "conformance" / "members" / "LAST"


def last_commit() -> str:
    """Return the commit of the last release."""
    return LAST.read_text().split()[0]


def is_in_clone() -> bool:
    """Return True if this clone has that commit: one with a short history has not."""
    found = subprocess.run(
        ["git", "cat-file", "-e", f"{last_commit()}:src"], cwd=ROOT, capture_output=True, check=False
    )
    return not found.returncode


def unpack(folder: Path) -> Mapping[str, str]:
    """Unpack its source in `folder`; return the environment in which its processes run."""
    packed = subprocess.run(["git", "archive", last_commit(), "src"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    environ = {"PYTHONPATH": str(folder / "src")}
    said = subprocess.run(
        [sys.executable, "-c", "import ringway; print(ringway.__file__)"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if not said.startswith(str(folder)):
        raise RuntimeError(f"processes of the last release would run {said.strip()}")
    return environ
