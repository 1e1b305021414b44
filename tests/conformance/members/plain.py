"""Plain values of messages, as JSON can say them, and the differences of a message from what was recorded."""

import math
from typing import Any

import msgspec
from msgspec import UNSET, Struct

TYPE = "type"
"""The key of a struct's tag, where it has one."""

LATER = "a_field_of_later"


def plain(value: Any) -> Any:
    """Return `value` with all fields of its structs, also those that have their usual values."""
    if isinstance(value, Struct):
        tag = value.__struct_config__.tag
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        said = {name: plain(each) for name, each in fields.items() if each is not UNSET}
        return {TYPE: tag, **said} if tag is not None else said
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def differences(found: Any, recorded: Any, at: str = "") -> list[str]:
    """Return how `found` differs from the plain value `recorded`; a field of later may have its usual value."""
    if isinstance(found, dict) and isinstance(recorded, dict) and set(map(str, found)) == set(recorded):
        return [each for key in found for each in differences(found[key], recorded[str(key)], f"{at}.{key}")]
    if not isinstance(found, Struct) or not isinstance(recorded, dict):
        if isinstance(found, list | tuple) and isinstance(recorded, list) and len(found) == len(recorded):
            pairs = zip(found, recorded, strict=True)
            return [
                each for place, (one, other) in enumerate(pairs) for each in differences(one, other, f"{at}[{place}]")
            ]
        return [] if plain(found) == recorded else [f"{at}: {plain(found)!r} was {recorded!r}"]
    said = plain(found)
    wrong = [f"{at}.{name} was {recorded[name]!r}, and is gone" for name in recorded if name not in said]
    if said.get(TYPE) != recorded.get(TYPE):
        wrong.append(f"{at}: {said.get(TYPE)!r} was {recorded.get(TYPE)!r}")
    for field in msgspec.structs.fields(type(found)):
        value = getattr(found, field.name)
        if field.name in recorded:
            wrong += differences(value, recorded[field.name], f"{at}.{field.name}")
        elif value is not UNSET and value != _usual(field):
            wrong.append(f"{at}.{field.name}: {value!r} is not its usual value, and was not sent")
    return wrong


def _usual(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def reads_as(new: Any, old: Any, at: str = "") -> list[str]:
    """Return what a reader of `old` would miss in `new`, both without knowledge of fields: it skips what is added."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [f"{at}.{key} is gone" for key in old if key not in new]
        return gone + [each for key in old if key in new for each in reads_as(new[key], old[key], f"{at}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(new) >= len(old):
        pairs = zip(new, old, strict=False)
        return [each for place, (one, other) in enumerate(pairs) for each in reads_as(one, other, f"{at}[{place}]")]
    return [] if type(new) is type(old) and new == old else [f"{at}: {new!r} was {old!r}"]


def with_more(value: Any, raw: Any) -> Any:
    """Return `raw`, which says `value` without knowledge of fields, with a field more in each struct."""
    if isinstance(value, Struct) and isinstance(raw, dict):
        inner = {name: with_more(getattr(value, name, None), each) for name, each in raw.items()}
        return {**inner, LATER: {"deep": [1, "two"]}}
    if isinstance(value, Struct) and isinstance(raw, list):
        skip = 0 if value.__struct_config__.tag is None else 1
        values = [None] * skip + [getattr(value, name) for name in value.__struct_fields__]
        pairs = zip(values, raw, strict=False)  # the last fields may be left out
        return [with_more(each, said) for each, said in pairs] + [[1, "two"]]
    if isinstance(value, list | tuple) and isinstance(raw, list):
        return [with_more(each, said) for each, said in zip(value, raw, strict=True)]
    return raw
