"""Lines of the log: an event as one JSON object, or as text for people."""

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ringway.app.visible import visible
from ringway.logger import Event

Render = Callable[[Event], str]

EVENT_WIDE = 30
LEVEL_WIDE = 9
"""Columns of the text and of the level, in lines for people."""

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_NAME, _VALUE, _LOGGER = "\x1b[36m", "\x1b[35m", "\x1b[1m\x1b[34m"
_LEVELS = {"debug": "\x1b[32m", "info": "\x1b[32m", "warning": "\x1b[33m"}
_SEVERE = "\x1b[31m"
_LEADING = ("timestamp", "level", "event", "logger", "exception")


def stamp(event: Event) -> Event:
    """Return `event` with its time, and with its exception as a text instead of `exc_info`."""
    stamped = {**event, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
    info = stamped.pop("exc_info", None)
    text = format_exception(info) if info else ""
    return {**stamped, "exception": text} if text else stamped


def format_exception(info: Any) -> str:
    """Return the traceback of `info`, as `logging` passes it. Local variables are left out: they may hold secrets."""
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    elif not isinstance(info, tuple):
        import sys

        info = sys.exc_info()
    return "" if info[0] is None else "".join(traceback.format_exception(*info)).rstrip("\n")


def as_json(event: Event) -> str:
    """Return `event` as a JSON object."""
    return json.dumps(event, default=repr)


def as_text(event: Event) -> str:
    """Return `event` as a line for people."""
    return _text(event, lambda text, _: text)


def as_coloured_text(event: Event) -> str:
    """Return `event` as a line for people, in colours."""
    return _text(event, lambda text, colour: f"{colour}{text}{_RESET}")


def _text(event: Event, paint: Callable[[str, str], str]) -> str:
    level = str(event["level"])
    parts = [paint(str(event["timestamp"]), _DIM)] if "timestamp" in event else []
    parts.append(f"[{paint(f'{level:<{LEVEL_WIDE}}', _LEVELS.get(level, _SEVERE) + _BOLD)}]")
    parts.append(paint(f"{_shown(event['event']):<{EVENT_WIDE}}", _BOLD))
    if "logger" in event:
        parts.append(f"[{paint(_shown(event['logger']), _LOGGER)}]")
    names = sorted(event.keys() - set(_LEADING))
    parts += [f"{paint(name, _NAME)}={paint(_value(event[name]), _VALUE)}" for name in names]
    line = " ".join(parts).rstrip()
    return f"{line}\n{visible(event['exception'], keep=chr(10))}" if "exception" in event else line


def _value(value: Any) -> str:
    if not isinstance(value, str):
        return repr(value)
    shown = visible(value)  # strangers may have sent it to steer the terminal
    return repr(shown) if any(char in shown for char in " \t=\r\n\"'") else shown


def _shown(value: Any) -> str:
    return visible(str(value))
