"""Options of commands: the common ones, and those that are derived from the fields of the configuration."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any

import typer

from ringway.app.config import Given, Layer, all_fields
from ringway.app.field import Field, show_value

ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="TOML file with settings (also RINGWAY_CONFIG)."),
]
StateDir = Annotated[
    str | None,
    typer.Option("--state", metavar="DIR", help="State directory of `ringway up` (also RINGWAY_STATE_DIR)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

BARE = ("engine", "member")
"""Sections whose flags are the same on every command, without the section's name before them."""


def flag_of(field: Field, own: Sequence[str]) -> str:
    """Return the flag of `field` on a command whose own sections are `own`."""
    return f"--{field.flag}" if field.section in (*own, *BARE) else f"--{field.section}-{field.flag}"


def takes_settings(
    *sections: str, own: Sequence[str] = (), only: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the settings of `sections` as options; it receives what was given as `flags: Layer`.

    Settings of the sections in `own` are called by their bare names. `only` adds single settings by their path.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        known = all_fields().values()
        fields = [field for section in sections for field in known if field.section == section]
        fields += [field for field in known if field.path in only]
        options = {field.path.replace(".", "__"): (field, flag_of(field, own)) for field in fields}

        @wraps(command)
        def wrapped(**values: Any) -> None:
            flags: Layer = {}
            for name, (field, flag) in options.items():
                value = values.pop(name)
                if value is not None and value != []:
                    flags[field.path] = Given(value, flag)
            command(flags=flags, **values)

        own_parameters = [
            parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "flags"
        ]
        derived = [_parameter(name, field, flag) for name, (field, flag) in options.items()]
        wrapped.__signature__ = inspect.Signature(own_parameters + derived)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {}
        return wrapped

    return decorate


def _parameter(name: str, field: Field, flag: str) -> inspect.Parameter:
    kind: Any = bool if field.switch else list[str] if field.repeated else str
    declared = f"{flag}/--no-{flag[2:]}" if field.switch else flag
    option = typer.Option(
        declared,
        help=_help(field),
        metavar=None if field.switch else field.metavar,
        show_default=False,
        rich_help_panel=f"Settings: {field.section}",
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(field: Field) -> str:
    repeat = " Give it once for each." if field.repeated else ""
    default = show_value(field.default)
    return f"{field.description}{repeat} (default: {default.strip('()')}; {field.env})"
