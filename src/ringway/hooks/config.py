"""Named hooks: `app:endpoint=https://app.example/hooks,timeout_s=2`, in TOML a table each, `[node.hooks.app]`."""

import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ringway.errors import ConfigError
from ringway.hooks.options import HookOptions, static_header_problem
from ringway.protocol.spec import (
    OptionErrors,
    convert_options,
    quote_value,
    read_pairs,
    split_items,
    text_of_value,
    unquote_value,
)

FILE_BYTES_MAX = 64 * 1024

_NAME = re.compile("[A-Za-z0-9_-]{1,32}")
_ERRORS = OptionErrors(
    unknown="the hook {subject} has no option {option!r}; {suggestion}",
    wrong="the option {item} of the hook {subject} is wrong: {rule}",
)


def short_hooks(tables: Mapping[str, Any]) -> list[str]:
    """Return the short forms of `[node.hooks.NAME]` tables; raise `ConfigError` if a value is not a table."""
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{name} = {table!r} stands where a hook belongs; write [node.hooks.{name}]")
    return [
        f"{name}:" + ",".join(f"{option}={quote_value(_text(value))}" for option, value in table.items())
        for name, table in tables.items()
    ]


def read_hooks(specs: Iterable[str]) -> dict[str, HookOptions]:
    """Return the hooks of the short forms `specs`, by name; raise one `ConfigError` with all faults."""
    found: dict[str, HookOptions] = {}
    problems: list[str] = []
    for spec in specs:
        name, _, rest = spec.partition(":")
        if not _NAME.fullmatch(name):
            problems.append(f"the hook {name[:40]!r} has no usable name; give 1 to 32 letters, digits, '_' or '-'")
            continue
        if name in found:
            problems.append(f"the hook {name} is given twice; give it once, with all its options")
        try:
            found[name] = _read(name, rest)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return found


def read_static_headers(name: str, options: HookOptions) -> tuple[tuple[str, str], ...]:
    """Return the headers in the file of the hook `name`; raise `ConfigError`, which contains none of their values."""
    path = options.static_headers_file
    if not path:
        return ()
    try:
        with Path(path).open(encoding="latin-1") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"static_headers_file of the hook {name} is {path}, which cannot be read ({why}); give a file with a "
            "header a line"
        ) from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigError(f"static_headers_file of the hook {name} has more than {FILE_BYTES_MAX} bytes; shorten it")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            header, colon, value = line.partition(":")
            problem = static_header_problem(header, value.strip()) if colon else "write Name: value"
            if problem:
                raise ConfigError(f"line {number} of {path} (static_headers_file of the hook {name}): {problem}")
            found.append((header, value.strip()))
    return tuple(found)


def read_tls(name: str, options: HookOptions) -> ssl.SSLContext | None:
    """Return what proves the endpoint of the hook `name`; None over http. Raise `ConfigError`."""
    if options.url.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ca_file of the hook {name} is {options.ca_file}, which cannot be read as PEM ({error}); correct it"
        ) from None


def _read(name: str, rest: str) -> HookOptions:
    problems: list[str] = []
    given = read_pairs(filter(None, split_items(rest)), name, _ERRORS, problems)
    try:
        given = {option: unquote_value(value) for option, value in given.items()}
    except ValueError:
        problems.append(f"the hook {name} has a value with quotes that do not match; write it as a JSON string")
    values = convert_options(given.items(), HookOptions, name, _ERRORS, problems)
    if problems:
        raise ConfigError(*problems)
    try:
        return HookOptions(**values)
    except ConfigError as error:
        raise ConfigError(*(f"the hook {name}: {problem}" for problem in error.problems)) from None


def _text(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, (list, tuple)) else text_of_value(value)
