"""Logger of all components: events with fields, handed to the one sink that the process has set (`app.log`).

A library for structured logs would do as well, and load a hundred modules into every process and every command.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SILENT = 100
"""A level above all others."""

Event = dict[str, Any]
"""The fields of an event; `event` is its text, `level` its level, `exc_info` an exception as `logging` has it."""

Sink = Callable[[Event], None]

_bound: ContextVar[Event] = ContextVar("fields of every event")


class Logger:
    """Emits events. All loggers are alike; `get_logger` gives the one there is."""

    __slots__ = ("level", "sink")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.level = LEVELS["debug"]

    def debug(self, event: str, /, **fields: Any) -> None:
        """Emit an event that helps to find a fault."""
        if self.level <= 10:
            self._emit("debug", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Emit an event of normal operation."""
        if self.level <= 20:
            self._emit("info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Emit an event that somebody should know of."""
        if self.level <= 30:
            self._emit("warning", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Emit an event that is a failure."""
        if self.level <= 40:
            self._emit("error", event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Emit the failure that is being handled, with its traceback."""
        if self.level <= 40:
            self._emit("error", event, {"exc_info": True, **fields})

    def _emit(self, level: str, event: str, fields: Event) -> None:
        self.sink({**_bound.get({}), **fields, "event": event, "level": level})


def _write_plainly(event: Event) -> None:
    """Write an event to stderr: the sink of a process that has set none."""
    named = ("event", "level", "exc_info")
    fields = " ".join(f"{name}={value!r}" for name, value in event.items() if name not in named)
    sys.stderr.write(f"{event['level']}: {event['event']} {fields}".rstrip() + "\n")
    error = sys.exception() if event.get("exc_info") is True else event.get("exc_info")
    if isinstance(error, BaseException):
        import traceback  # not needed where nothing fails

        traceback.print_exception(error, file=sys.stderr)


_logger = Logger(_write_plainly)


def get_logger() -> Logger:
    """Return the logger of this process."""
    return _logger


def bind(**fields: Any) -> None:
    """Have every later event of this task, and of those that it starts, carry `fields`."""
    _bound.set({**_bound.get({}), **fields})


@contextmanager
def logging_to(sink: Sink, level: int) -> Iterator[None]:
    """Hand events from `level` on to `sink`, for as long as the block lasts."""
    before = _logger.sink, _logger.level
    _logger.sink, _logger.level = sink, level
    try:
        yield
    finally:
        _logger.sink, _logger.level = before
