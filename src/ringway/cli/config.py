"""`ringway config`: the effective settings with their sources, and a check of them."""

import time
from typing import Annotated, Any

import msgspec

from ringway.app.config import Loaded, all_fields, load_config
from ringway.app.field import Field, show_value
from ringway.cli.command import CommandGroup, Option
from ringway.cli.option import AsJson, ConfigFile
from ringway.cli.rights import Anonymous, Channels, say_rights
from ringway.cli.terminal import say, say_json
from ringway.cli.token import check_token, say_claims
from ringway.core.route_spec import read_routes
from ringway.engine.url import HIDDEN, mask
from ringway.errors import ConfigError

ENGINE_URL = "engine.url"


def show(
    origin: Annotated[bool, Option("--origin", help="Show the source of each value.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show the settings that a gateway or node would have if it started now, in the form of a configuration file.

    The later source wins: defaults, the file (--config or RINGWAY_CONFIG), the environment, flags. Secrets are not
    shown.
    """
    from ringway.app.start_check import policy_problems

    loaded = load_config(file=config_file, check=policy_problems)
    if as_json:
        say_json(_as_json(loaded, origin=origin))
        return
    section = ""
    for field in all_fields().values():
        if field.section != section:
            say(("\n" if section else "") + f"[{field.section}]")
            section = field.section
        value = shown(field, value_of(loaded, field))
        line = f"# {field.name} is not set" if value is None else f"{field.name} = {as_toml(value)}"
        say(f"{line:<44}  # {loaded.origin(field.path)}" if origin else line)


def check(
    token: Annotated[
        str,
        Option("--token", metavar="TOKEN", help="Say what the bearer of this token may do; - reads standard input."),
    ] = "",
    channels: Channels = None,
    anonymous: Anonymous = False,
    config_file: ConfigFile = None,
) -> None:
    """Check the settings that a gateway or node would have if it started now: all that the start would refuse.

    Backends, routes, policies, collectors and namespaces are read as at the start, and so are the files that the
    settings name. Nothing is asked over the network, but for the key set that may prove a token. Prints every problem
    with its source, and ends with 2 if there is any.

    With --token or --anonymous it then says what such a client may do, as `ringway token check`.
    """
    from ringway.app.start_check import secret_problems, start_problems

    def find_problems(loaded: Loaded) -> list[str]:
        return [*start_problems(loaded), *secret_problems(loaded)]

    loaded = load_config(file=config_file, check=find_problems)
    given = len(loaded.given)
    say(f"The settings are good: {given} {'is' if given == 1 else 'are'} given, the others have their defaults.")
    for route in read_routes(loaded.config.gateway.routes):
        asks = ", for clients with a token" if route.auth else ""
        say(f"{route} leads to the group {route.group}{asks}")
    if token and anonymous:
        raise ConfigError("--token and --anonymous are two clients; give one of them")
    if token or anonymous:
        now = time.time()
        claims = check_token(loaded.config, token, now) if token else None
        if claims is not None:
            say_claims(claims, now)
        say_rights(loaded.config, claims, channels or (), now)


def value_of(loaded: Loaded, field: Field) -> Any:
    """Return the effective value of `field`."""
    return getattr(getattr(loaded.config, field.section), field.name)


def shown(field: Field, value: Any) -> Any:
    """Return `value` without secrets: a URL without its credentials, a secret as hidden."""
    value = field.showable(value)
    if not field.secret or not value:
        return value
    return mask(value) if field.path == ENGINE_URL else HIDDEN


def as_toml(value: Any) -> str:
    """Return `value` in TOML."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    # JSON strings and TOML basic strings are equal for all texts that msgspec writes.
    return msgspec.json.encode(value).decode() if isinstance(value, str) else show_value(value)


def _as_json(loaded: Loaded, *, origin: bool) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for field in all_fields().values():
        value = shown(field, value_of(loaded, field))
        said = {"value": value, "origin": loaded.origin(field.path)} if origin else value
        sections.setdefault(field.section, {})[field.name] = said
    return sections


config = CommandGroup({"show": show, "check": check}, help="The settings.")
