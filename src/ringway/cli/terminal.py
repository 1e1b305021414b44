"""Output of commands: to a terminal, a pipe, a file, or to nothing.

The reader may be gone, the disk may be full, the encoding may have no arrows. Then a command ends with one line, or
without a line if nobody would read it, but never with a traceback.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ringway.app.visible import visible, visible_json
from ringway.errors import RingwayError

WIDE = 160
"""Columns of an output that is not a terminal."""

READER_GONE_CODE = 141
"""Exit code of a command whose reader has ended: 128 and SIGPIPE, as shells report it of other programs."""

_PLAINER = {
    **dict.fromkeys("▏▎▍▌▋▊▉█━╸╺", "#"), **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"), **dict.fromkeys("│┃", "|"),
    "─": "-", "·": ".", "…": "...", "▶": ">", "→": "->", "µ": "u",
}  # fmt: skip


class OutputFailed(RingwayError):
    """Standard output cannot be written; `reader_gone` is true if it is a pipe whose reader has ended."""

    def __init__(self, error: OSError | None) -> None:
        self.reader_gone = error is not None and error.errno == errno.EPIPE
        why = "it is closed" if error is None else error.strerror or str(error)
        super().__init__(f"the output cannot be written ({why}); give standard output a place that takes it")


class Output(io.TextIOWrapper):
    """Standard output, which raises `OutputFailed` if it cannot be written."""

    def write(self, text: str) -> int:
        """Write `text`."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        """Write the buffered text."""
        try:
            super().flush()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> OutputFailed:
        with suppress(OSError):  # the rest goes to /dev/null, so that nothing fails again at the exit
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self.fileno())
            os.close(sink)
        return OutputFailed(error)


class ClosedOutput(io.TextIOBase):
    """Standard output that the caller has closed: writing raises, so that no library drops text silently."""

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str) -> int:
        """Raise `OutputFailed`."""
        raise OutputFailed(None)


class Errors(io.TextIOWrapper):
    """Standard error, where unwritable text is lost: there is no second place to report it."""

    def write(self, text: str) -> int:
        """Write `text`."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write the buffered text."""
        with suppress(OSError):
            super().flush()


def open_streams() -> None:
    """Make standard input, output and errors usable in any state; call it once, at the start of the process."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the first file or socket of this process would get its number, and the text for stderr.
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("ringway.plainer", _plainer)
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    elif isinstance(sys.stdout, io.TextIOWrapper) and not isinstance(sys.stdout, Output):
        encoding, terminal = sys.stdout.encoding, sys.stdout.isatty()
        sys.stdout = Output(sys.stdout.detach(), encoding, "ringway.plainer", line_buffering=terminal)
    if isinstance(sys.stderr, io.TextIOWrapper) and not isinstance(sys.stderr, Errors):
        encoding = sys.stderr.encoding
        sys.stderr = Errors(sys.stderr.detach(), encoding, "ringway.plainer", line_buffering=True)


def say(text: str) -> None:
    """Write `text` and a line feed to standard output, with terminal controls made visible.

    Raise `OutputFailed` if it cannot be written.
    """
    say_drawn([visible(text, keep="\n")])


def say_drawn(lines: Iterable[str]) -> None:
    """Write `lines` to standard output unchanged: their texts are visible already, and they may have colours.

    Raise `OutputFailed` if it cannot be written.
    """
    if sys.stdout is None:
        raise OutputFailed(None)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def is_terminal() -> bool:
    """Return True if standard output is a terminal, or is to be treated as a terminal by `FORCE_COLOR`."""
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout is not None and sys.stdout.isatty())


def is_styled() -> bool:
    """Return True if standard output shows colours, and the user wants them (no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")
    return wanted and is_terminal()


def width_of_output() -> int:
    """Return the columns of standard output: `WIDE` if it is not a terminal; else `COLUMNS`, or the width of the
    terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return WIDE
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or WIDE
    except OSError:
        return WIDE


def say_json(value: Any) -> None:
    """Write `value` to standard output as one line of JSON."""
    import msgspec

    say(visible_json(msgspec.json.encode(value).decode()))


def tell(text: str) -> None:
    """Write a line to stderr, with terminal controls made visible. If it cannot be written, it is lost."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # a stream that is foreign, or closed
            sys.stderr.write(visible(text) + "\n")
            sys.stderr.flush()


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the output's encoding does not have: by a similar character, or by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found: Any = error.object[error.start : error.end]
    plain = "".join(_PLAINER.get(char, char.encode("ascii", "backslashreplace").decode()) for char in found)
    return plain, error.end
