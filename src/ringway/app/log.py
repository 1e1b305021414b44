"""Structured logs: one line an event on stderr, as JSON or for the eye.

Everything goes the same way: our events, what libraries log, warnings, exceptions that nobody caught. Lines that repeat
themselves are summed up (`repeats`), and none of them makes the process wait (`log_writer`).
"""

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import msgspec

from ringway.app.log_writer import LogWriter
from ringway.app.repeats import Repeats
from ringway.app.visible import visible

if TYPE_CHECKING:
    from structlog.typing import Processor


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the log."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        msgspec.Meta(description="The least important events that are logged."),
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        msgspec.Meta(
            description="One JSON object a line, or lines for the eye. auto: for the eye on a terminal, else JSON."
        ),
    ] = "auto"
    repeats_per_s_max: Annotated[
        int,
        msgspec.Meta(
            description="How many lines that say the same of the same member are written in a second. One more line "
            "says how many others there were (`repeated`).",
            ge=1,
            le=1_000_000,
        ),
    ] = 5
    queue_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="How much may wait to be written where the disk, pipe or terminal under the log is slow or "
            "full. Lines beyond it are dropped and counted; nothing else waits for them.",
            ge=65_536,
            le=1 << 30,
            extra={"unit": "bytes"},
        ),
    ] = 1 << 20
    flush_s: Annotated[
        float,
        msgspec.Meta(
            description="How long the end of the process waits for lines that are not written yet.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0


@contextmanager
def open_log(config: LogConfig, descriptor: int | None = None) -> Iterator[LogWriter]:
    """Send all events to `descriptor` (stderr) as `config` says, for as long as the block lasts."""
    import structlog

    if descriptor is None:
        descriptor = stream_descriptor(sys.stderr)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    shared, rendered = _processors(config, terminal=descriptor is not None and os.isatty(descriptor))

    def render(event: MutableMapping[str, Any]) -> str:
        line: Any = event
        for processor in (*shared[2:], *rendered):
            line = processor(None, "", line)
        return str(line)

    def notice(count: int) -> str:
        return render({"event": "lines of the log were dropped", "level": "warning", "lines": count})

    repeats = Repeats(config.repeats_per_s_max, time.monotonic, lambda: writer.wake())
    writer = LogWriter(
        descriptor,
        config.queue_bytes_max,
        notice,
        lambda: [render(event) for event in repeats.summaries(at_once=writer.closing)],
        lambda: repeats.pending,
    )

    def admit(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if not repeats.admits(event):
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[*shared[:2], admit, *shared[2:], *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(writer.write),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    handler = _Handler(formatter, repeats, writer.write)
    # Libraries speak at "info" of what our own events say already.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.captureWarnings(True)
    try:
        with _last_resorts():
            yield writer
    finally:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(handler)
        writer.close(config.flush_s)


def stream_descriptor(stream: Any) -> int | None:
    """Return the descriptor of a standard stream; None where it is closed."""
    with suppress(AttributeError, OSError, ValueError):
        return int(stream.fileno())
    return None


def _processors(config: LogConfig, *, terminal: bool) -> "tuple[list[Processor], list[Processor]]":
    """Return the processors of every event, and those that make a line of it."""
    import structlog

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.format == "json" or (config.format == "auto" and not terminal):
        # Tracebacks without local variables: secrets are among them.
        return shared, [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=_write_traceback)
    return shared, [_show_controls, console]


def _show_controls(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make visible what strangers may have sent to steer the terminal; JSON has escapes of its own."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible(value, keep="\n" if name in ("exception", "stack") else "")
    return event


def _write_traceback(into: TextIO, error: Any) -> None:
    import structlog

    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    into.write(visible(text.getvalue(), keep="\n"))


class _Lines:
    """What structlog hands its lines to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.msg = self.log = self.debug = self.info = self.warning = self.warn = write
        self.error = self.err = self.critical = self.fatal = self.exception = self.failure = write


class _Handler(logging.Handler):
    """Hands on what libraries log."""

    def __init__(self, formatter: logging.Formatter, repeats: Repeats, write: Callable[[str], None]) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._repeats = repeats
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        about = {"event": record.msg, "level": record.levelname.lower(), "logger": record.name}
        if not self._repeats.admits(about, f"{record.pathname}:{record.lineno}"):
            return
        try:
            self._write(self.format(record))
        except Exception as error:  # a library's own call was wrong; the log must not fail by it
            record.msg = f"{record.msg!r} does not go with {record.args!r}: {error!r}"
            record.args = record.exc_info = record.exc_text = record.stack_info = None
            self._write(self.format(record))


@contextmanager
def _last_resorts() -> Iterator[None]:
    """Log what Python would print to stderr by itself, and wait for."""
    import structlog

    log = structlog.get_logger()

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
