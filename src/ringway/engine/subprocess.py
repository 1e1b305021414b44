"""Child processes that end with their parent, also if the parent is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ENDS_WITH_PARENT = sys.platform == "linux"
"""True if this system can end a child whose parent was killed; elsewhere only an orderly stop ends it."""

# A separate Python runs this, and then becomes the command: code between fork and exec in this process could meet a
# lock that another thread held at the fork. 1 is PR_SET_PDEATHSIG of <linux/prctl.h>: the signal that a process gets
# when its parent ends. The parent may have ended before that line, so its id is checked afterwards.
_TIE_TO_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[2]))
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[3], sys.argv[3:])
"""


def tie_to_parent(command: Sequence[str], ends_by: signal.Signals) -> Sequence[str]:
    """Return the command that becomes `command`, and gets `ends_by` when this process ends, where this system can."""
    if not ENDS_WITH_PARENT:
        return command
    return [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), str(int(ends_by)), *command]


def spawn(
    command: Sequence[str],
    output: Path,
    kept_fd: int | None = None,
    environ: Mapping[str, str] | None = None,
    ends_by: signal.Signals = signal.SIGTERM,
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own, with its output appended to `output` and `kept_fd` left open.

    `command` begins with the path of an executable file. `environ` is its whole environment; None means this process's
    environment. `ends_by` is the signal that the child gets when the parent ends.

    In its own session the child does not get the terminal's Ctrl-C: the parent stops its children in an order. The
    kernel ties a child to the *thread* that started it, so call this from a thread that lives on. Blocks for the
    milliseconds of fork and exec.
    """
    command = tie_to_parent(command, ends_by)
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
        )
    finally:
        os.close(descriptor)
