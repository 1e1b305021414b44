"""Packages from npm for the Node.js programs of a folder, as its package-lock.json names them."""

import fcntl
import shutil
import subprocess
from pathlib import Path

INSTALL_S = 120


def has_node() -> bool:
    """True if Node.js and npm are installed."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


def install_packages(folder: Path) -> None:
    """Install what package-lock.json of `folder` says, unless that has been done. Blocks.

    Raise `RuntimeError` with npm's words if it fails.
    """
    done = folder / "node_modules" / ".package-lock.json"
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers come at one time
        if done.exists() and done.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime:
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if said.returncode:
        raise RuntimeError(f"npm ci in {folder}: {said.stdout}{said.stderr}")
