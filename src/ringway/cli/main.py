"""The entry point: finds the command, and turns errors into one clear line each and an exit code.

Exit codes: 0 done; 1 it failed; 2 a setting is wrong or what is needed is not there, and the caller must act;
130 ended by Ctrl-C.
"""

import importlib
import sys
from collections.abc import Sequence

import typer

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
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run the command that `words` name; return the exit code."""
    try:
        build(words)(args=list(words), prog_name="ringway")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
    except ConfigError as error:
        return _fail(error.problems, 2)
    except EngineError as error:
        return _fail([str(error)], 2)
    except RingwayError as error:
        return _fail([str(error)], 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _fail(lines: Sequence[str], code: int) -> int:
    for line in lines:
        sys.stderr.write(f"ringway: {line}\n")
    return code


def _root() -> None:
    pass
