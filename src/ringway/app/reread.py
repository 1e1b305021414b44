"""Files that a running process reads again on SIGHUP and when they change: secrets, and keys of tokens.

Content that cannot be used changes nothing: the last good content stays in use, and the log says so once, after the
time that a person needs to write two files.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from ringway.errors import ConfigError
from ringway.file_watch import FileWatch
from ringway.logger import get_logger

POLL_S = 1.0
"""The period of the checks for changed files."""

PATIENCE_S = 10.0
"""How long content may be unusable before the log says so: two files are not written at the same moment."""

_log = get_logger()


class Reread:
    """Has `read` called for the files at `paths`, which hold `what`: a noun in the plural, for the log.

    `read` is given the cause, logs a change, and returns True if there is one. It raises `ConfigError` if the content
    cannot be used.
    """

    def __init__(
        self,
        paths: Sequence[str],
        read: Callable[[str], bool],
        what: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._read_all = read
        self._what = what
        self._clock = clock
        self._files = FileWatch(paths)
        self._problem = ""
        self._problem_since = 0.0
        self._told = ""

    @property
    def in_files(self) -> bool:
        """True if there is a file, which can be read again."""
        return bool(self._paths)

    async def run(self) -> None:
        """Check the files, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            self.check_files()

    def check_files(self) -> None:
        """Read the files if they have changed and are complete; call it again and again."""
        now = self._clock()
        if self._files.is_at_rest(now) and (self._files.changed or self._problem):
            self._read(now, PATIENCE_S, "a change of the files")

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""
        self._told = ""
        changed = self._read(self._clock(), 0.0, "SIGHUP")
        if not self._problem and not changed:
            _log.info(f"SIGHUP: the files of the {self._what} have not changed; settings are read at the start")

    def _read(self, now: float, patience_s: float, cause: str) -> bool:
        self._files.accept()
        try:
            changed = self._read_all(cause)
        except ConfigError as error:
            self._on_unusable(str(error), now, patience_s, cause)
            return False
        if self._told:
            _log.info(f"the files of the {self._what} can be used again")
        self._problem = self._told = ""
        return changed

    def _on_unusable(self, problem: str, now: float, patience_s: float, cause: str) -> None:
        if not self._problem:
            self._problem_since = now
        self._problem = problem
        if problem != self._told and now - self._problem_since >= patience_s:
            self._told = problem
            _log.warning(f"the last good {self._what} stay in use", cause=cause, why=problem)
