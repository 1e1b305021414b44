"""Documents that list backends: TOML with `[[backend]]` tables, JSON with `{"backends": [...]}`.

Beside the fields of a backend (`core.backend_reader`), each may have `draining` and `within_s`.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from ringway.core.backend_reader import read_backend_fields
from ringway.errors import ConfigError
from ringway.protocol.order import DRAIN_WITHIN_S_MAX
from ringway.protocol.spec import suggestion
from ringway.sources.sink import Offer
from ringway.types import NodeName

_OWN = ("draining", "within_s")


class _Repeated(ValueError):
    """A key is given twice in one object."""


def _read_toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"it is not TOML: {error}; correct it there") from None


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ConfigError(f"it is not JSON: {error}; correct it there") from None
    except ValueError as error:  # from `_once` and `_no_number`, and for numbers of thousands of digits
        raise ConfigError(f"it is not JSON that can be used: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of `pairs`; unlike TOML, JSON may repeat a key, and one of the values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Repeated(f"the key {twice!r} is given twice in one object; give it once")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number; write one, or leave the field out")


_FORMS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    ".toml": ("backend", _read_toml, '[[backend]] and its fields, such as url = "ws://10.0.0.1:9000"'),
    ".json": ("backends", _read_json, '{"backends": [{"url": "ws://10.0.0.1:9000"}]}'),
}
"""For each ending the key of the list, the reader, and an example."""


def check_ending(path: str) -> str:
    """Return the ending of `path`; raise `ConfigError` if documents do not have this ending."""
    ending = next((ending for ending in _FORMS if path.lower().endswith(ending)), None)
    if ending is None:
        raise ConfigError(f"the file of backends {path!r} must end in {' or '.join(_FORMS)}, which says how it is read")
    return ending


def read_document(text: str, path: str) -> dict[NodeName, Offer]:
    """Return the backends in the document `text` by name; raise `ConfigError` with every problem, and its place.

    The ending of `path` says how to read it. An empty list is allowed. A document without a list is a problem: a file
    looks like this if its writer was interrupted.
    """
    key, read, form = _FORMS[check_ending(path)]
    try:
        found = read(text)
    except ConfigError as error:
        raise ConfigError(*(f"{path}: {problem}" for problem in error.problems)) from None
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deep; write {form}") from None
    if not isinstance(found, dict) or not isinstance(found.get(key), list):
        raise ConfigError(f"{path}: it has no list {key!r}; write {form}")
    problems = [f"{path}: there is no key {other!r}; {suggestion(other, (key,))}" for other in found if other != key]
    offers: dict[NodeName, Offer] = {}
    for number, fields in enumerate(found[key], 1):
        try:
            offer = _read_offer(fields, _place(path, number, fields))
        except ConfigError as error:
            problems += error.problems
            continue
        name = offer.backend.name
        if name in offers:
            problems.append(f"{path}, backend {number}: two backends are named {name!r}; give each a name of its own")
        offers[name] = offer
    if problems:
        raise ConfigError(*problems)
    return offers


def _read_offer(fields: Any, where: str) -> Offer:
    if not isinstance(fields, dict):
        raise ConfigError(f"{where}: it is no table of fields; give at least its url")
    problems: list[str] = []
    draining = fields.get("draining")
    within_s = fields.get("within_s")
    if not isinstance(draining, bool | None):
        problems.append(f"{where}: draining is {draining!r}; it must be true or false")
    is_number = isinstance(within_s, int | float) and not isinstance(within_s, bool)
    if within_s is not None and not (is_number and 0 <= within_s <= DRAIN_WITHIN_S_MAX):
        problems.append(
            f"{where}: within_s is {within_s!r}; it must be 0 to {DRAIN_WITHIN_S_MAX:g} seconds, 0 for no deadline"
        )
    elif within_s and not draining:
        problems.append(f"{where}: within_s has no effect without draining = true; add that, or leave it out")
    try:
        backend = read_backend_fields(fields, where, also=_OWN)
    except ConfigError as error:
        raise ConfigError(*error.problems, *problems) from None
    if problems:
        raise ConfigError(*problems)
    return Offer(backend, draining=bool(draining), within_s=float(within_s or 0.0))


def _place(path: str, number: int, fields: Any) -> str:
    name = fields.get("name") if isinstance(fields, dict) else None
    return f"{path}, backend {number}" + (f" ({name[:63]!r})" if name and isinstance(name, str) else "")
