"""Sources of settings: defaults, then a TOML file, then the environment, then flags. The later source wins.

Each setting is checked alone, so that all problems are reported at once, each with its source.
"""

import math
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from ringway.app.field import ENV_PREFIX, Field, show_value
from ringway.app.service_link import is_service_link
from ringway.errors import ConfigError
from ringway.protocol.spec import suggestion

CONFIG_FILE_ENV = "RINGWAY_CONFIG"

OTHER_ENV = (CONFIG_FILE_ENV, "RINGWAY_STATE_DIR", "RINGWAY_TRACEBACK", "RINGWAY_URL")
"""Variables of ours that are not settings."""

PREFIX = f"{ENV_PREFIX}_"

ENV_CUTOFF = 0.85
"""An unknown variable counts as a misspelt setting from this similarity on. Other variables with our prefix are
accepted: they may belong to neighbouring software."""

DEFAULT_ORIGIN = "default"


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written, and its source."""

    value: Any
    origin: str


Layer = dict[str, Given]
"""The values of one source, by the path of the setting."""


def read_file(path: str | None, environ: Mapping[str, str], fields: Mapping[str, Field]) -> Layer:
    """Return the layer of the TOML file at `path`, or at `RINGWAY_CONFIG`; empty if neither is given."""
    path = path or environ.get(CONFIG_FILE_ENV)
    if not path:
        return {}
    try:
        tables = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error}); correct --config") from None
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deep; write it flatter") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from None
    layer: Layer = {}
    problems: list[str] = []
    sections = {field.section for field in fields.values()}
    arrays = {field.tables: field for field in fields.values() if field.tables}
    for section, table in tables.items():
        if section in arrays:
            _read_tables(arrays[section], section, table, str(path), layer, problems)
        elif section not in sections:
            problems.append(f"{path}: there is no section [{section}]{_nearest(section, sections)}")
        elif not isinstance(table, dict):
            problems.append(f"{path}: {section} must be a section; write [{section}] and its settings below")
        else:
            for name, value in table.items():
                key = f"{section}.{name}"
                if key not in fields:
                    known = [field.name for field in fields.values() if field.section == section]
                    problems.append(f"{path}: there is no setting {name!r} in [{section}]{_nearest(name, known)}")
                    continue
                if key in layer:
                    problems.append(f"{path}: [[{fields[key].tables}]] and {key} say the same twice; give one of them")
                try:
                    layer[key] = Given(fields[key].of_toml(value), str(path))
                except ConfigError as error:
                    problems += (f"{path}: [{section}] {name}: {problem}" for problem in error.problems)
    if problems:
        raise ConfigError(*problems)
    return layer


def _read_tables(field: Field, name: str, tables: Any, path: str, layer: Layer, problems: list[str]) -> None:
    """Read an array of tables, `[[name]]`, which is a different form of a list of settings."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{path}: {name} must be an array of tables; write [[{name}]] and its settings below")
        return
    if field.path in layer:
        problems.append(f"{path}: [[{name}]] and {field.path} say the same twice; give one of them")
    values = []
    for table in tables:
        try:
            values.append(field.of_toml(table))
        except ConfigError as error:
            problems += (f"{path}: [[{name}]]: {problem}" for problem in error.problems)
    layer[field.path] = Given(values, path)


def service_links(environ: Mapping[str, str]) -> list[str]:
    """Return the names of variables with our prefix that Kubernetes made for its Services."""
    return sorted(name for name, text in environ.items() if name.startswith(PREFIX) and is_service_link(name, text))


def read_environment(environ: Mapping[str, str], fields: Mapping[str, Field]) -> Layer:
    """Return the layer of the `RINGWAY_<SECTION>_<FIELD>` variables; white space separates several values.

    An empty variable sets nothing: deployment templates leave variables empty to mean the default.
    """
    names = {field.env: field for field in fields.values()}
    layer: Layer = {}
    problems: list[str] = []
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in OTHER_ENV or not text.strip() or is_service_link(name, text):
            continue
        field = names.get(name)
        if field is not None and not _is_text(text):
            problems.append(f"the environment variable {name} is not UTF-8; write it in that encoding")
        elif field is not None:
            layer[field.path] = Given(field.split(text) if field.repeated else text, f"environment {name}")
        elif get_close_matches(name, names, n=1, cutoff=ENV_CUTOFF):
            problems.append(f"the environment variable {name} sets nothing{_nearest(name, names)}")
    if problems:
        raise ConfigError(*problems)
    return layer


def combine(*sources: "typing.Callable[[], Layer]") -> Layer:
    """Read all `sources`, the weakest first; raise one `ConfigError` with the problems of all of them."""
    combined: Layer = {}
    problems: list[str] = []
    for source in sources:
        try:
            combined |= source()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return combined


def check(layer: Layer, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the typed values of `layer`; raise one `ConfigError` that names every wrong value."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for path, given in layer.items():
        field = fields[path]
        try:
            values[path] = msgspec.convert(given.value, field.type, strict=not isinstance(given.value, str))
            if isinstance(values[path], float) and not math.isfinite(values[path]):
                raise ValueError(f"{values[path]} is no number to compare with")  # noqa: TRY301
        except ValueError:  # msgspec's ValidationError is a ValueError
            shown = "(hidden)" if field.secret or field.hide else repr(given.value)
            problems.append(f"{path} is {shown} ({given.origin}); it must be {field.rule}")
    if problems:
        raise ConfigError(*problems)
    return values


def build(structs: Mapping[str, type[msgspec.Struct]], values: Mapping[str, Any]) -> dict[str, msgspec.Struct]:
    """Return each section's struct with `values` or defaults; objections of the struct become problems."""
    built: dict[str, msgspec.Struct] = {}
    problems: list[str] = []
    for section, struct in structs.items():
        own = {path.partition(".")[2]: value for path, value in values.items() if path.startswith(f"{section}.")}
        try:
            built[section] = struct(**own)
        except ConfigError as error:
            problems += (f"[{section}]: {problem}" for problem in error.problems)
        except ValueError as error:
            problems.append(f"[{section}]: {error}")
    if problems:
        raise ConfigError(*problems)
    return built


def as_environment(layer: Layer, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return `layer` as environment variables, for a child process; the inverse of `read_environment`."""
    return {
        fields[path].env: fields[path].join(given.value)
        if isinstance(given.value, (list, tuple))
        else _written(given.value)
        for path, given in layer.items()
    }


def _written(value: Any) -> str:
    return value if isinstance(value, str) else show_value(value)


def _is_text(text: str) -> bool:
    """Return true if `text` came as UTF-8: Python represents other bytes as halves of surrogate pairs (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _nearest(name: str, known: Iterable[str]) -> str:
    return f"; {suggestion(name, sorted(known))}"
