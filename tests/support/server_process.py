"""The process of a real server of one's own: started, ended in order, and killed."""

import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ringway.engine.subprocess import spawn

STOP_S = 10.0
"""How long it may take to end in order before it is killed."""


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
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def launch(self, command: Sequence[str]) -> None:
        """Start the process, and do not wait for anything."""
        self._process = spawn(command, self._log)

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
