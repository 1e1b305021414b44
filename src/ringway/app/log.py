"""Structured logs: one line an event on stderr, as JSON or for the eye."""

import logging
import sys
from typing import Annotated, Literal, TextIO

import msgspec


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


def configure_log(config: LogConfig, stream: TextIO | None = None) -> None:
    """Send the events of structlog, and what libraries log by `logging`, to `stream` (stderr) as `config` says."""
    import structlog
    from structlog.typing import Processor

    level = logging.getLevelNamesMapping()[config.level.upper()]
    stream = stream or sys.stderr
    terminal = stream.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.format == "json" or (config.format == "auto" and not terminal):
        # Tracebacks without local variables: secrets are among them.
        rendered: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        rendered = [structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    # Libraries speak at "info" of what our own events say already.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
