"""The entry point: finds the command, and turns each error into a clear line and an exit code.

Exit codes: 0 done; 1 it failed; 2 a setting is wrong or a needed part is missing, and the caller must act;
130 ended by Ctrl-C; 141 the reader of the output is gone. Processes that end in order after Ctrl-C return 0.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from ringway.cli.command import CommandGroup, Exit
from ringway.cli.quick import read_quickly
from ringway.cli.terminal import READER_GONE_CODE, OutputFailed, open_streams, tell
from ringway.errors import ConfigError, EngineError, RingwayError

COMMANDS = (
    "up",
    "gateway",
    "node",
    "join",
    "nodes",
    "top",
    "drain",
    "undrain",
    "roll",
    "rebalance",
    "moves",
    "freeze",
    "unfreeze",
    "policy",
    "explain",
    "pub",
    "sub",
    "bench",
    "simulate",
    "token",
    "config",
    "version",
)
COMPLETE_ENV = "_RINGWAY_COMPLETE"
"""Set by the shell's completion, which typer answers."""

TRACEBACK_ENV = "RINGWAY_TRACEBACK"
"""If it is set, commands print the traceback of their own faults."""


def main() -> None:
    """Run the command that the process's arguments name, and exit."""
    open_streams()
    code = run(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OutputFailed as error:
        code = _output_failed(error)
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run the command that `words` name; return the exit code."""
    try:
        _check_words(words)
        carry_out(words)
    except Exit as exit_:
        return exit_.code
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
    except ConfigError as error:
        return _fail(error.problems, 2)
    except EngineError as error:
        return _fail([str(error)], 2)
    except OutputFailed as error:
        return _output_failed(error)
    except RingwayError as error:
        return _fail([str(error)], 1)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        return _fault(error) if (error.name or "").startswith("ringway") else _fail([_not_installed(error)], 2)
    except Exception as error:
        return _fault(error)
    return 0


def carry_out(words: Sequence[str]) -> None:
    """Carry out the command that `words` name. Imports only its module, and typer only if it is needed."""
    name = words[0] if words else ""
    if name in COMMANDS and COMPLETE_ENV not in os.environ:
        found: Callable[..., None] | CommandGroup = getattr(import_module(f"ringway.cli.{name}"), name)
        chosen = read_quickly(words[1:], found)
        if chosen is not None:
            command, values = chosen
            command(**values)
            return
    build(words)(args=list(words), prog_name="ringway")


def build(words: Sequence[str] = ()) -> Any:
    """Return typer's command line, with the command that `words` name, or with all commands."""
    from ringway.cli.full import build_typer

    chosen = next((word for word in words if not word.startswith("-")), "")
    return build_typer([chosen] if chosen in COMMANDS else COMMANDS)


def _check_words(words: Sequence[str]) -> None:
    """Raise `ConfigError` if an argument is not UTF-8: Python represents such bytes as halves of surrogate pairs."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = repr(os.fsencode(word))[1:]
            raise ConfigError(f"the argument {shown} is not UTF-8; write it in that encoding") from None


def _not_installed(error: ModuleNotFoundError) -> str:
    """Return what to do if only the client is installed."""
    return (
        f"the command line needs the server's parts ({error.name} is missing); "
        "install them: pip install 'ringway[server]'"
    )


def _fail(lines: Sequence[str], code: int) -> int:
    for line in lines:
        tell(f"ringway: {line}")
    return code


def _output_failed(error: OutputFailed) -> int:
    return READER_GONE_CODE if error.reader_gone else _fail([str(error)], 1)


def _fault(error: Exception) -> int:
    """Report an unexpected error: an error of the system by its text, a fault of our code with its place in the
    code."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return _fail([f"{where}{error.strerror}"], 1)
    import traceback

    if os.environ.get(TRACEBACK_ENV):
        traceback.print_exception(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(at.filename)}:{at.lineno}"
    remedy = f"set {TRACEBACK_ENV}=1 to see how it came to that, and report it"
    return _fail([f"a fault of ringway itself: {type(error).__name__}: {error} ({place}); {remedy}"], 1)


def _root() -> None:
    pass
