"""The whole command line in typer: for help, for completion, and for messages about mistakes."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ringway.cli.command import REQUIRED, Argument, CommandGroup, Exit, Parameter, parameters_of

_HELP = """Scale WebSocket servers horizontally: gateway, nodes, placement, and moves of live connections.

Begin with `ringway up`: it starts NATS, a gateway and two nodes, and says what to try. In other terminals
`ringway node` adds a node, `ringway top` shows what happens, `ringway drain node-1` empties one.

Over WebSocket servers of your own: `ringway up --backend ws://127.0.0.1:9001`, and
`ringway join ws://127.0.0.1:9002 -- COMMAND` for each server that is added."""


def build_typer(commands: Sequence[str]) -> typer.Typer:
    """Return the command line with `commands`; only these are imported."""
    app = typer.Typer(
        name="ringway",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in commands:
        found = getattr(importlib.import_module(f"ringway.cli.{name}"), name)
        if isinstance(found, CommandGroup):
            app.add_typer(_typer_group(found), name=name)
        else:
            app.command(name)(typer_function(found))
    return app


def _typer_group(group: CommandGroup) -> typer.Typer:
    if group.default is None:
        made = typer.Typer(no_args_is_help=True, help=group.help)
        made.callback()(_root)
    else:
        made = typer.Typer()
        made.callback(invoke_without_command=True)(_typer_default(group.default))
    for name, command in group.commands.items():
        made.command(name)(typer_function(command))
    return made


def typer_function(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with a signature that typer reads."""

    def run(**values: Any) -> None:
        try:
            command(**values)
        except Exit as exit_:
            raise typer.Exit(exit_.code) from None

    return _signed(run, command, [_typer_parameter(each) for each in parameters_of(command)])


def _typer_default(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` as the default of a group, for a call without a subcommand."""
    run_command = typer_function(command)

    def run(context: typer.Context, **values: Any) -> None:
        if context.invoked_subcommand is None:
            run_command(**values)

    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    return _signed(run, command, [first, *(_typer_parameter(each) for each in parameters_of(command))])


def _signed(
    run: Callable[..., None], command: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {}
    return run


def _typer_parameter(parameter: Parameter) -> inspect.Parameter:
    declared = parameter.declared
    info: Any
    if isinstance(declared, Argument):
        info = typer.Argument(metavar=declared.metavar, help=declared.help)
    else:
        info = typer.Option(
            *declared.flags,
            help=declared.help,
            metavar=declared.metavar,
            min=declared.min,
            max=declared.max,
            rich_help_panel=declared.panel,
            show_default=declared.show_default,
        )
    default = inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default
    kind: Any = parameter.annotation
    return inspect.Parameter(
        parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _root() -> None:
    pass
