"""Watched file of backends: read at the start, when it has changed, and on SIGHUP.

A file that cannot be used changes nothing: the backends of the last good file stay, and the problem is logged once.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from ringway.errors import ConfigError
from ringway.file_watch import FileWatch
from ringway.logger import get_logger
from ringway.sources.backend_document import check_ending, read_document
from ringway.sources.sink import BackendSink, Offer
from ringway.types import NodeName

POLL_S = 0.5
"""The period of the checks for a changed file."""

BYTES_MAX = 4 * 1024 * 1024
"""The size of the file; about 20,000 backends."""

PROBLEMS_TOLD_MAX = 5

_log = get_logger()


class FileUnreadable(ConfigError):
    """The file cannot be opened or read; this can end without a change of the file."""


def read_backends_file(path: str) -> dict[NodeName, Offer]:
    """Return the backends in the file at `path`; raise `ConfigError` with every problem. Blocks for the disk."""
    check_ending(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ConfigError(f"{path}: it is no file; give the path of one")
        with open(path, "rb") as file:
            data = file.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise FileUnreadable(f"{path}: it cannot be read ({reason}); create it, or let this user read it") from None
    if len(data) > BYTES_MAX:
        raise ConfigError(f"{path}: it has more than {BYTES_MAX} bytes; split the backends over several gateways")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8 (byte {error.start}); write it in that encoding") from None
    return read_document(text, path)


class FileSource:
    """The backends that the file at `path` lists, reported to `sink`. `run` it as a task; it ends when it is cancelled.

    Raise `ConfigError` if the file cannot be used at the start. `clock` is monotonic.
    """

    def __init__(self, path: str, sink: BackendSink, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._sink = sink
        self._clock = clock
        self.name = f"file {path}"
        self._watch = FileWatch([path])
        self._offers = read_backends_file(path)
        self._told = ""  # the problem that was logged
        self._retries = False
        self._hangup = asyncio.Event()

    async def run(self) -> None:
        """Report the backends of the first read, and follow the file until cancelled."""
        self._sink.update(self.name, self._offers)
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._hangup.wait()
            except TimeoutError:
                if self._watch.is_at_rest(self._clock()) and (self._watch.changed or self._retries):
                    await self._read("a change of the file")
            else:
                self._hangup.clear()
                self._told = ""
                await self._read("SIGHUP")

    def on_hangup(self) -> None:
        """Read the file soon, and log the result in any case."""
        self._hangup.set()

    async def _read(self, cause: str) -> None:
        """Read the file in a thread: thousands of backends would stop all traffic for a tenth of a second."""
        self._watch.accept()
        try:
            offers = await asyncio.to_thread(read_backends_file, self._path)
        except ConfigError as error:
            self._retries = isinstance(error, FileUnreadable)
            self._on_unusable(_in_short(error.problems), cause)
            return
        self._retries = False
        if self._told:
            _log.info("the file of backends can be used again", file=self._path)
        self._told = ""
        self._sink.report_problem(self.name, "")
        before, self._offers = self._offers, offers
        if offers != before:
            _log.info("the file of backends has changed", file=self._path, cause=cause, **_differences(before, offers))
            self._sink.update(self.name, offers)
        elif cause == "SIGHUP":
            _log.info("SIGHUP: the file of backends lists what it has listed before", file=self._path)

    def _on_unusable(self, problem: str, cause: str) -> None:
        if problem == self._told:
            return
        self._told = problem
        _log.error(
            "the file of backends cannot be used; the last good backends stay",
            file=self._path, cause=cause, why=problem, backends=len(self._offers),
        )  # fmt: skip
        self._sink.report_problem(self.name, problem)


def _in_short(problems: tuple[str, ...]) -> str:
    further = len(problems) - PROBLEMS_TOLD_MAX
    return "; ".join(problems[:PROBLEMS_TOLD_MAX]) + (f"; and {further} more" if further > 0 else "")


def _differences(before: dict[NodeName, Offer], after: dict[NodeName, Offer]) -> dict[str, str]:
    """Return the names of backends that were added, left out, and described anew, for the log."""
    changed = {
        "added": [name for name in after if name not in before],
        "left_out": [name for name in before if name not in after],
        "described_anew": [name for name in after if name in before and after[name] != before[name]],
    }
    return {what: _in_short(tuple(names)) for what, names in changed.items() if names}
