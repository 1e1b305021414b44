"""Output of commands: to a terminal, a pipe, a file, or to nothing at all.

Whoever reads may be gone, the disk may be full, the encoding may know no arrows: a command then ends with one line, or
none where nobody would read it, and never with a traceback.
"""

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any

from ringway.app.visible import visible, visible_json
from ringway.errors import RingwayError

READER_GONE_CODE = 141
"""Exit code of a command whose reader has ended: 128 and SIGPIPE, as a shell tells it of other programs."""

_PLAINER = {
    **dict.fromkeys("▏▎▍▌▋▊▉█━╸╺", "#"), **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"), **dict.fromkeys("│┃", "|"),
    "─": "-", "·": ".", "…": "...", "▶": ">", "→": "->", "µ": "u",
}  # fmt: skip


class OutputFailed(RingwayError):
    """Standard output cannot be written to; `reader_gone` where it is a pipe that nobody reads any more."""

    def __init__(self, error: OSError | None) -> None:
        self.reader_gone = error is not None and error.errno == errno.EPIPE
        why = "it is closed" if error is None else error.strerror or str(error)
        super().__init__(f"the output cannot be written ({why}); give standard output a place that takes it")


class Output(io.TextIOWrapper):
    """Standard output, which says by `OutputFailed` that it cannot be written to."""

    def write(self, text: str) -> int:
        """Write `text`."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        """Write what waits."""
        try:
            super().flush()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> OutputFailed:
        with suppress(OSError):  # what is left has somewhere to go, so that nothing fails again at the exit
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self.fileno())
            os.close(sink)
        return OutputFailed(error)


class ClosedOutput(io.TextIOBase):
    """Standard output that the caller has closed: whoever writes there is told, and no library drops it in silence."""

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str) -> int:
        """Raise `OutputFailed`."""
        raise OutputFailed(None)


class Errors(io.TextIOWrapper):
    """Standard error, where what cannot be written is lost: there is no other place to say so."""

    def write(self, text: str) -> int:
        """Write `text`."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        with suppress(OSError):
            super().flush()


def open_streams() -> None:
    """Make standard input, output and errors usable, whatever they are; once, at the start of the process."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the first file or socket of this process would get its number, and what is meant for stderr.
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
    """Write `text` and a line feed to standard output, with what would steer the terminal made visible.

    Raise `OutputFailed` where it cannot be written.
    """
    if sys.stdout is None:
        raise OutputFailed(None)
    sys.stdout.write(visible(text, keep="\n") + "\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """Write `value` to standard output as one line of JSON."""
    import msgspec

    say(visible_json(msgspec.json.encode(value).decode()))


def tell(text: str) -> None:
    """Write a line to stderr, with what would steer the terminal made visible. Where nobody can read it, it is lost."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # a stream that is none of ours, or closed
            sys.stderr.write(visible(text) + "\n")
            sys.stderr.flush()


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Replace what the encoding of the output does not have: by something alike, else by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found: Any = error.object[error.start : error.end]
    plain = "".join(_PLAINER.get(char, char.encode("ascii", "backslashreplace").decode()) for char in found)
    return plain, error.end
