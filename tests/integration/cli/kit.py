"""Running commands, and finding the processes of one system."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

RINGWAY = (sys.executable, "-m", "ringway")


def environ_of(state: Path, **more: str) -> dict[str, str]:
    """The environment of a command whose system has its state in `state`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    return {**clean, "RINGWAY_STATE_DIR": str(state), **more}


def run(state: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [*RINGWAY, *arguments], env=environ_of(state, **more), capture_output=True, text=True, timeout=60, check=False
    )


def start(state: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    """Start a command that goes on; its words can be read from its pipes."""
    return subprocess.Popen(
        [*RINGWAY, *arguments],
        env=environ_of(state, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]", number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal and wait; return exit code, output and errors."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return process.returncode, out, err


def processes_of(state: Path) -> dict[int, str]:
    """The processes that belong to the system in `state`, by id, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(entry.name)
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environ = (entry / "environ").read_bytes().split(b"\0")
            if pid != os.getpid() and command and f"RINGWAY_STATE_DIR={state}".encode() in environ:
                found[pid] = command
    return found
