"""`ringway config show`: the effective settings, and where each came from."""

from typing import Annotated, Any

import msgspec

from ringway.app.config import Loaded, all_fields, load_config
from ringway.app.field import Field, show_value
from ringway.cli.command import Group, Option
from ringway.cli.option import AsJson, ConfigFile
from ringway.cli.terminal import say, say_json
from ringway.engine.url import HIDDEN, mask

ENGINE_URL = "engine.url"


def show(
    origin: Annotated[bool, Option("--origin", help="Say where each value came from.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show all settings as a gateway or node started now would have them, in the form of a configuration file.

    The later wins: defaults, the file (--config or RINGWAY_CONFIG), the environment, flags. Secrets are not shown.
    """
    loaded = load_config(file=config_file)
    loaded.check_policy()
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


def value_of(loaded: Loaded, field: Field) -> Any:
    """Return the effective value of `field`."""
    return getattr(getattr(loaded.config, field.section), field.name)


def shown(field: Field, value: Any) -> Any:
    """Return `value` as it may be shown: of a URL the part without credentials, of a secret nothing."""
    value = field.showable(value)
    if not field.secret or not value:
        return value
    return mask(value) if field.path == ENGINE_URL else HIDDEN


def as_toml(value: Any) -> str:
    """Return `value` as TOML writes it."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    # JSON strings and TOML basic strings agree on everything that msgspec writes.
    return msgspec.json.encode(value).decode() if isinstance(value, str) else show_value(value)


def _as_json(loaded: Loaded, *, origin: bool) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for field in all_fields().values():
        value = shown(field, value_of(loaded, field))
        said = {"value": value, "origin": loaded.origin(field.path)} if origin else value
        sections.setdefault(field.section, {})[field.name] = said
    return sections


config = Group({"show": show}, help="The settings.")
