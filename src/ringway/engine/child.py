"""Child processes that end with their parent, however the parent ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal a process gets when the thread that made it ends."""

ENDS_WITH_PARENT = sys.platform == "linux"
"""Whether this system can end a child whose parent was killed; elsewhere only an orderly stop does."""


def spawn(
    command: Sequence[str], output: Path, kept_fd: int | None = None, environ: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own, with its output appended to `output` and `kept_fd` left open.

    `environ` is its whole environment; without it, it has this process's.

    In a session of its own it does not get the terminal's Ctrl-C: the parent stops it in its order. The
    kernel ties a child to the *thread* that started it, so call this from one that lives on. Blocks for the
    milliseconds of fork and exec.
    """
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            env=environ,
            pass_fds=() if kept_fd is None else (kept_fd,),
            preexec_fn=_tie_to_parent() if ENDS_WITH_PARENT else None,
        )
    finally:
        os.close(descriptor)


def _tie_to_parent() -> Callable[[], None]:
    # All that needs imports or locks happens here, before the fork.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(0)

    return tie
