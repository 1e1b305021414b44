"""Wrong fields of a request in words: each with its value, its rule, and the fields that there are."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_origin

import msgspec

from ringway.protocol.rule import bare_type, rule_of_value, sentence_of_error

SHOWN_MAX = 80
"""The characters of a wrong value that are repeated."""

_SIMPLE = (bool, int, float, str)


def names_of_fields(kind: type[msgspec.Struct]) -> str:
    """Return the fields of `kind`, with commas between them."""
    return ", ".join(field.encode_name for field in msgspec.structs.fields(kind))


def find_wrong_fields(body: Any, kind: type) -> list[tuple[str, str]]:
    """Return each wrong field of `body`, which is no `kind`, with a sentence; the field `data` is the body itself."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return [("data", why_wrong(body, kind))]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    known = names_of_fields(kind)
    if not isinstance(body, Mapping):
        return [("data", f"the body is {_shown(body)}; it must be an object with the fields {known}")]
    return [*_unknown(body, kind, known), *_wrong(body, fields)]


def why_wrong(value: Any, annotation: Any) -> str:
    """Return a sentence with the value and the rule; empty if the value is good."""
    try:
        msgspec.convert(value, annotation, strict=False)
    except msgspec.ValidationError as error:
        bare = bare_type(annotation)
        is_simple = bare in _SIMPLE or get_origin(bare) is Literal
        rule = f"it must be {rule_of_value(annotation)}" if is_simple else sentence_of_error(error)
        return f"it is {_shown(value)}; {rule}"
    return ""


def _unknown(body: Mapping[str, Any], kind: type[msgspec.Struct], known: str) -> Iterator[tuple[str, str]]:
    if kind.__struct_config__.forbid_unknown_fields:
        for name in body:
            if name not in known.split(", "):
                yield _shorten(name), f"there is no such field; there are {known}"


def _wrong(body: Mapping[str, Any], fields: Mapping[str, msgspec.structs.FieldInfo]) -> Iterator[tuple[str, str]]:
    for name, field in fields.items():
        if name in body:
            if why := why_wrong(body[name], field.type):
                yield name, why
        elif field.required:
            yield name, f"it is missing; give {rule_of_value(field.type)}"


def _shown(value: Any) -> str:
    return _shorten(msgspec.json.encode(value).decode())


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."
