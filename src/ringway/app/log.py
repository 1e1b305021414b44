"""Structured logs: one line for each event on stderr, as JSON or for people.

All lines go the same way: our events, the logs of libraries, warnings, uncaught exceptions. Repeated lines are summed
up (`repeats`), and no line makes the process wait (`log_writer`).
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ringway.app.log_config import LogConfig
from ringway.app.log_line import Render, as_coloured_text, as_json, as_text, stamp
from ringway.app.log_writer import LogWriter
from ringway.app.repeats import Repeats
from ringway.logger import LEVELS, Event, get_logger, logging_to


@contextmanager
def open_log(config: LogConfig, descriptor: int | None = None) -> Iterator[LogWriter]:
    """Send all events to `descriptor` (stderr) as `config` says, until the block ends."""
    if descriptor is None:
        descriptor = stream_descriptor(sys.stderr)
    level = LEVELS[config.level]
    render = _renderer(config, terminal=descriptor is not None and os.isatty(descriptor))

    def notice(count: int) -> str:
        return render(stamp({"event": "lines of the log were dropped", "level": "warning", "lines": count}))

    repeats = Repeats(config.repeats_per_s_max, time.monotonic, lambda: writer.wake())
    writer = LogWriter(
        descriptor,
        config.queue_bytes_max,
        notice,
        lambda: [render(stamp(event)) for event in repeats.summaries(at_once=writer.closing)],
        lambda: repeats.pending,
    )

    def write(event: Event, origin: str = "") -> None:
        if repeats.admits(event, origin):
            writer.write(render(stamp(event)))

    handler = _Handler(write)
    # At the level "info", libraries repeat what our own events say.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.captureWarnings(True)
    try:
        with logging_to(write, level), _last_resorts():
            yield writer
    finally:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(handler)
        writer.close(config.flush_s)


def stream_descriptor(stream: Any) -> int | None:
    """Return the descriptor of a standard stream; None if it is closed."""
    with suppress(AttributeError, OSError, ValueError):
        return int(stream.fileno())
    return None


def _renderer(config: LogConfig, *, terminal: bool) -> Render:
    if config.format == "json" or (config.format == "auto" and not terminal):
        return as_json
    return as_coloured_text if terminal else as_text


class _Handler(logging.Handler):
    """Passes on the log records of libraries."""

    def __init__(self, write: Callable[[Event, str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text, info = record.getMessage(), record.exc_info
        except Exception as error:  # a library's own call was wrong; the log must not fail because of it
            text, info = f"{record.msg!r} does not go with {record.args!r}: {error!r}", None
        event: Event = {"event": text, "logger": record.name, "level": record.levelname.lower()}
        self._write({**event, "exc_info": info} if info else event, f"{record.pathname}:{record.lineno}")


@contextmanager
def _last_resorts() -> Iterator[None]:
    """Log what Python itself would print to stderr, waiting for it."""
    log = get_logger()

    def uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if not issubclass(kind, (SystemExit, KeyboardInterrupt)):
            log.error("an exception was not caught", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if args.exc_value is not None:
            error = (args.exc_type, args.exc_value, args.exc_traceback)
            log.error("an exception could not be raised", where=repr(args.object), exc_info=error)

    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook, sys.unraisablehook = uncaught, in_thread, unraisable
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before
