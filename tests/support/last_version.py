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


def why_not_here() -> str:
    """Return why this copy of the repository need not have that commit: its history is short, or it has none.

    Empty if it must have it: the commit is in the history of the branch.
    """
    if not (ROOT / ".git").exists():
        return "this copy of the repository has no history"
    shallow = _git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
    return "this clone has a short history" if shallow and not is_in_history() else ""


def is_in_history() -> bool:
    """Return True if the commit that is checked out comes from that commit."""
    return not _git("merge-base", "--is-ancestor", last_commit(), "HEAD").returncode


def _git(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)


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
