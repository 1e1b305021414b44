"""Options of commands: the common options, and the options that are derived from the configuration's fields."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from ringway.app.config import Given, Layer, all_fields
from ringway.app.field import Field, show_value
from ringway.cli.command import Option, Parameter, with_parameters

ConfigFile = Annotated[
    str | None,
    Option("--config", metavar="FILE", help="TOML file with settings (also RINGWAY_CONFIG)."),
]
StateDir = Annotated[
    str | None,
    Option("--state", metavar="DIR", help="State directory of `ringway up` (also RINGWAY_STATE_DIR)."),
]
AdminUrl = Annotated[
    str | None,
    Option(
        "--admin",
        metavar="URL",
        help="Reach the cluster by the admin port of a gateway, such as http://127.0.0.1:8001, not by the engine. "
        "Without it, a gateway without an engine is found if it runs on this machine.",
    ),
]
OneGroup = Annotated[str, Option("--group", metavar="NAME", help="Only this group. Without: all groups.")]

AsJson = Annotated[bool, Option("--json", help="Print JSON, for programs.")]

BARE = ("engine", "member")
"""Sections whose flags are the same on every command, without the section's name before them."""


def flag_of(field: Field, own: Sequence[str]) -> str:
    """Return the flag of `field` on a command whose own sections are `own`."""
    return f"--{field.flag}" if field.section in (*own, *BARE) else f"--{field.section.replace('_', '-')}-{field.flag}"


def takes_settings(
    *sections: str, own: Sequence[str] = (), only: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the settings of `sections` as options; it receives the given values as `flags: Layer`.

    Settings of the sections in `own` have their bare names. `only` adds single settings by their path.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        known = all_fields().values()
        fields = [field for section in sections for field in known if field.section == section]
        fields += [field for field in known if field.path in only]
        options = {field.path.replace(".", "__"): (field, flag_of(field, own)) for field in fields}

        def gather(values: dict[str, Any]) -> Layer:
            flags: Layer = {}
            for name, (field, flag) in options.items():
                value = values[name]
                if value is not None and value != []:
                    flags[field.path] = Given(value, flag)
            return flags

        derived = {name: _parameter(name, field, flag) for name, (field, flag) in options.items()}
        return with_parameters(command, "flags", derived, gather)

    return decorate


def _parameter(name: str, field: Field, flag: str) -> Parameter:
    kind: Any = bool if field.switch else list[str] if field.repeated else str
    option = Option(
        f"{flag}/--no-{flag[2:]}" if field.switch else flag,
        help=_help(field),
        metavar=None if field.switch else field.metavar,
        show_default=False,
        panel=f"Settings: {field.section}",
    )
    return Parameter(name, kind | None, option, None)


def _help(field: Field) -> str:
    repeat = " Give it once for each." if field.repeated else ""
    default = show_value(field.default)
    return f"{field.description}{repeat} (default: {default.strip('()')}; {field.env})"
