"""The process of a real server of one's own: started, ended in order, and killed."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ringway.engine.subprocess import spawn

STOP_S = 10.0
"""The time to end in order before it is killed."""


class ServerProcess:
    """A process that can be started again and again; what it says goes to `log`.

    It ends with the thread that started it, however that ends.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of its process, which must have been started."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """True if its process lives."""
        return self._process is not None and self._process.poll() is None

    def launch(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Start the process, and do not wait for anything. `environ` replaces the environment of this process."""
        self._process = spawn(command, self._log, environ=environ)

    def last_words(self) -> str:
        """Return the end of what it said."""
        return self._log.read_text()[-2000:]

    def end(self, how: signal.Signals) -> None:
        """Send it `how`, and SIGKILL where that does not end it in time; return when it has ended."""
        if self._process is None:
            return
        deadline = time.monotonic() + STOP_S
        while self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL if time.monotonic() > deadline else how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self._process = None

    def kill_all(self) -> None:
        """Kill it and all processes that it started; return when it has ended."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # `spawn` gave it a session of its own
        self._process.wait(STOP_S)
        self._process = None
