"""Options of commands: the common options, and the options that are derived from the configuration's fields."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

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
AdminTokenFile = Annotated[
    str | None,
    Option(
        "--admin-token-file",
        metavar="FILE",
        help="File with a token for that admin port, if it asks for one. Also RINGWAY_ADMIN_TOKEN: the token itself.",
    ),
]
AdminCaFile = Annotated[
    str | None,
    Option(
        "--ca",
        metavar="FILE",
        help="PEM file with the authorities that prove an admin port with https://. Without it: those of the system, "
        "or of SSL_CERT_FILE.",
    ),
]
OneGroup = Annotated[str, Option("--group", metavar="NAME", help="Only this group. Without: all groups.")]

AsJson = Annotated[bool, Option("--json", help="Print JSON, for programs.")]

BARE = ("engine", "member")
"""Sections whose flags are the same on every command, without the section's name before them."""


def flag_of(field: Field, own: Sequence[str]) -> str:
    """Return the flag of `field` on a command whose own sections are `own`.

    A setting whose flag is called as its section has that name alone.
    """
    if field.flag == field.section:
        return f"--{field.flag}"
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
        options = _options_of(fields, own)
        derived = {name: _parameter(name, field, flag) for name, (field, flag) in options.items()}
        return with_parameters(command, "flags", derived, lambda values: _flags(options, values))

    return decorate


class SystemChoice(NamedTuple):
    """The running system that a command is about, as its options name it."""

    config_file: str | None = None
    state: str | None = None
    admin: str | None = None
    admin_token_file: str | None = None
    admin_ca_file: str | None = None
    flags: Layer | None = None  # settings of its engine


def finds_system(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a running system; it receives them as `system: SystemChoice`."""
    options = _options_of([field for field in all_fields().values() if field.section == "engine"], ())
    named: dict[str, Any] = {
        "config_file": ConfigFile, "state": StateDir, "admin": AdminUrl, "admin_token_file": AdminTokenFile,
        "admin_ca_file": AdminCaFile,
    }  # fmt: skip
    derived = {name: Parameter(name, given.__origin__, given.__metadata__[0], None) for name, given in named.items()}
    derived |= {name: _parameter(name, field, flag) for name, (field, flag) in options.items()}

    def gather(values: dict[str, Any]) -> SystemChoice:
        return SystemChoice(**{name: values[name] for name in named}, flags=_flags(options, values))

    return with_parameters(command, "system", derived, gather)


Options = dict[str, tuple[Field, str]]
"""Settings that are options: each with its flag, by the name of its parameter."""


def _options_of(fields: Sequence[Field], own: Sequence[str]) -> Options:
    return {field.path.replace(".", "__"): (field, flag_of(field, own)) for field in fields}


def _flags(options: Options, values: dict[str, Any]) -> Layer:
    """Return the settings that were given."""
    flags: Layer = {}
    for name, (field, flag) in options.items():
        value = values[name]
        if value is not None and value != []:
            flags[field.path] = Given(value, flag)
    return flags


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
