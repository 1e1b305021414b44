"""Readers of backends that come as mappings: tables of TOML files, objects of JSON files and of requests."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from ringway.core.backend_spec import name_of
from ringway.errors import ConfigError
from ringway.protocol.address import shown
from ringway.protocol.backend import Backend, OnMove, problems_of
from ringway.protocol.spec import suggestion
from ringway.protocol.weight import WEIGHT_RULE
from ringway.types import NodeName

_TEXT = "a text"
_RULES: Mapping[str, str] = {
    "url": 'a text such as "ws://10.0.0.1:9000"',
    "name": _TEXT,
    "weight": WEIGHT_RULE,
    "group": _TEXT,
    "zone": _TEXT,
    "check": 'a path such as "/healthz"',
    "check_host": 'a host such as "app.example"',
    "host": 'a host such as "app.example"',
    "tls_name": 'a host such as "app.example"',
    "on_move": ", ".join(way for way in OnMove if way is not OnMove.FOLLOW),
    "close_code": "a whole number",
    "restart_codes": "a list of whole numbers, such as [1001, 1011]",
}
"""The fields that a mapping may have, each with the rule for its type."""

_TYPES = {field.name: field.type for field in msgspec.structs.fields(Backend) if field.name in _RULES}

_SHOWN_MAX = 80
"""The length of a wrong value in a message."""


def read_backend_fields(fields: Mapping[str, Any], where: str, *, also: Collection[str] = ()) -> Backend:
    """Return the backend that `fields` describe, which are named as those of `Backend`; `url` alone is required.

    A field that is null counts as left out. `also` names further fields, which the caller reads. Raise `ConfigError`
    with every problem; each begins with `where`, and names the value and the rule.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    known = (*_RULES, *also)
    for field, value in fields.items():
        if field not in known:
            problems.append(f"there is no field {_show(field)}; {suggestion(str(field), known)}")
        elif value is not None and field in _RULES:
            try:
                values[field] = msgspec.convert(value, _TYPES[field])
            except (ValueError, OverflowError):  # msgspec's ValidationError is a ValueError
                problems.append(f"{field} is {_show(value)}; it must be {_RULES[field]}")
    if fields.get("url") is None:
        problems.append('it has no url; give one, such as url = "ws://10.0.0.1:9000"')
    if "url" in values:
        values["name"] = NodeName(values.get("name") or name_of(values["url"]))
        backend = Backend(**values)
        problems += problems_of(backend)
        if not problems:
            return backend
    raise ConfigError(*(f"{where}: {problem}" for problem in problems))


def _show(value: Any) -> str:
    """Return a wrong value as a message shows it: short, and without credentials."""
    text = repr(shown(value) if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
