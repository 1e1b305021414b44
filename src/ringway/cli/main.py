"""The entry point: finds the command, and turns errors into one clear line each and an exit code.

Exit codes: 0 done; 1 it failed; 2 a setting is wrong or what is needed is not there, and the caller must act;
130 ended by Ctrl-C; 141 whoever read the output is gone.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from ringway.app.load import TRACEBACK_ENV
from ringway.cli.terminal import READER_GONE_CODE, OutputFailed, open_streams, tell
from ringway.errors import ConfigError, EngineError, RingwayError

COMMANDS = (
    "up",
    "gateway",
    "node",
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
    "config",
    "version",
)

_HELP = """Scale WebSocket servers horizontally: gateway, nodes, placement, and moves of live connections.

Begin with `ringway up`: it starts NATS, a gateway and two nodes, and says what to try. In other terminals
`ringway node` adds a node, `ringway top` shows what happens, `ringway drain node-1` empties one."""


def build(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line. Only the command that `words` name is imported, so that each starts quickly."""
    app = typer.Typer(
        name="ringway",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    chosen = next((word for word in words if not word.startswith("-")), "")
    for command in [chosen] if chosen in COMMANDS else COMMANDS:
        importlib.import_module(f"ringway.cli.{command}").register(app)
    return app


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
        build(words)(args=list(words), prog_name="ringway")
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
    except Exception as error:
        return _fault(error)
    return 0


def _check_words(words: Sequence[str]) -> None:
    """Raise `ConfigError` for an argument that is no text: Python holds bytes that are no UTF-8 as halves of pairs."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = repr(os.fsencode(word))[1:]
            raise ConfigError(f"the argument {shown} is not UTF-8; write it in that encoding") from None


def _fail(lines: Sequence[str], code: int) -> int:
    for line in lines:
        tell(f"ringway: {line}")
    return code


def _output_failed(error: OutputFailed) -> int:
    return READER_GONE_CODE if error.reader_gone else _fail([str(error)], 1)


def _fault(error: Exception) -> int:
    """Tell of what should not happen: of the system in its own words, of a fault of ours with the place."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return _fail([f"{where}{error.strerror}"], 1)
    if os.environ.get(TRACEBACK_ENV):
        traceback.print_exception(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(at.filename)}:{at.lineno}"
    remedy = f"set {TRACEBACK_ENV}=1 to see how it came to that, and report it"
    return _fail([f"a fault of ringway itself: {type(error).__name__}: {error} ({place}); {remedy}"], 1)


def _root() -> None:
    pass
