"""Sources of settings: defaults, then a TOML file, then the environment, then flags. The later source wins.

Each setting is checked alone, and all problems go to one list, each with its source. What is wrong is left out, so that
the rest can be checked further, and all problems are reported at once.
"""

import math
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from contextlib import suppress
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

OTHER_ENV = (
    CONFIG_FILE_ENV,
    "RINGWAY_ADMIN_TOKEN",
    "RINGWAY_STATE_DIR",
    "RINGWAY_TOKEN",
    "RINGWAY_TRACEBACK",
    "RINGWAY_URL",
)
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


def read_file(path: str | None, environ: Mapping[str, str], fields: Mapping[str, Field], problems: list[str]) -> Layer:
    """Return the layer of the TOML file at `path`, or at `RINGWAY_CONFIG`; empty if neither is given.

    Raise `ConfigError` if the file cannot be read at all.
    """
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
        raise ConfigError(f"the configuration file {path} is not TOML: {error}; JSON and YAML are not read") from None
    layer: Layer = {}
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
            values += _good_part(field, table)
    layer[field.path] = Given(values, path)


def _good_part(field: Field, table: Mapping[str, Any]) -> list[Any]:
    """Return the value of a wrong table without the keys that are wrong, to check the others further."""
    good = {}
    for key, value in table.items():
        with suppress(ConfigError):
            field.of_toml({key: value})
            good[key] = value
    return [field.of_toml(good)] if good else []


def service_links(environ: Mapping[str, str]) -> list[str]:
    """Return the names of variables with our prefix that Kubernetes made for its Services."""
    return sorted(name for name, text in environ.items() if name.startswith(PREFIX) and is_service_link(name, text))


def read_environment(environ: Mapping[str, str], fields: Mapping[str, Field], problems: list[str]) -> Layer:
    """Return the layer of the `RINGWAY_<SECTION>_<FIELD>` variables; white space separates several values.

    An empty variable sets nothing: deployment templates leave variables empty to mean the default.
    """
    names = {field.env: field for field in fields.values()}
    layer: Layer = {}
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
    return layer


def combine(problems: list[str], *sources: "typing.Callable[[], Layer]") -> Layer:
    """Read all `sources`, the weakest first."""
    combined: Layer = {}
    for source in sources:
        try:
            combined |= source()
        except ConfigError as error:
            problems += error.problems
    return combined


def check_values(layer: Layer, fields: Mapping[str, Field], problems: list[str]) -> dict[str, Any]:
    """Return the typed values of `layer` that are good."""
    values: dict[str, Any] = {}
    for path, given in layer.items():
        field = fields[path]
        try:
            values[path] = msgspec.convert(given.value, field.type, strict=not isinstance(given.value, str))
            if isinstance(values[path], float) and not math.isfinite(values[path]):
                raise ValueError(f"{values[path]} is no number to compare with")  # noqa: TRY301
        except ValueError:  # msgspec's ValidationError is a ValueError
            shown = "(hidden)" if field.secret or field.hide else repr(given.value)
            problems.append(f"{path} is {shown} ({given.origin}); it must be {field.rule}")
    return values


def build(
    structs: Mapping[str, type[msgspec.Struct]],
    values: Mapping[str, Any],
    layer: Layer,
    fields: Mapping[str, Field],
    problems: list[str],
) -> dict[str, msgspec.Struct]:
    """Return each section's struct with `values` or defaults.

    If a struct objects, it gets the values all the same, so that they can be checked further: it must not be used.
    """
    built: dict[str, msgspec.Struct] = {}
    for section, struct in structs.items():
        own = {path.partition(".")[2]: value for path, value in values.items() if path.startswith(f"{section}.")}
        try:
            built[section] = struct(**own)
        except (ConfigError, ValueError) as error:
            objections = error.problems if isinstance(error, ConfigError) else (str(error),)
            given = {fields[path]: given for path, given in layer.items() if fields[path].section == section}
            problems += (f"[{section}]{_sources(given, problem)}: {problem}" for problem in objections)
            built[section] = struct()
            for name, value in own.items():
                msgspec.structs.force_setattr(built[section], name, value)
    return built


def _sources(given: Mapping[Field, Given], problem: str) -> str:
    """Return in brackets the sources of the settings that `problem` names; of all in its section if it names none."""
    tables = [field for field in given if field.tables and _names(problem, field.name, field.tables)]
    named = tables or [field for field in given if _names(problem, field.name)] or given
    origins = dict.fromkeys(given[field].origin for field in named)
    return f" ({' and '.join(origins)})" if origins else ""


def _names(problem: str, *names: str) -> bool:
    """Return True if `problem` has one of `names` as a word, and not as a part of a URL."""
    return any(re.search(rf"(?<![\w./:-]){re.escape(name)}(?![\w./-]|:\S)", problem) for name in names)


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
