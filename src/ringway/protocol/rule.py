"""Rules in words: the requirement for a value, from its type or from msgspec's error."""

import types
import typing
from typing import Any

import msgspec

_WORDS = (
    ("Expected", "give"),
    ("`int`", "a whole number"),
    ("`float`", "a number"),
    ("`bool`", "true or false"),
    ("`str`", "a text"),
)

_BOUNDS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "with a length of at least {}",
    "max_length": "with a length of at most {}",
    "pattern": "matching {}",
}


def bare_type(annotation: Any) -> Any:
    """Return the type inside `Annotated[...]` and `... | None`."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        present = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        return bare_type(present[0])
    return annotation


def rule_of_type(annotation: Any) -> str:
    """Return the rule for a value of the type `annotation`: "a number", "true or false", "one of lower, higher"."""
    bare = bare_type(annotation)
    if typing.get_origin(bare) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(bare)))
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(bare, "a text")


def rule_of_value(annotation: Any) -> str:
    """Return the rule for a value of the type `annotation` with its bounds: "a number, at least 0, at most 60"."""
    words = [rule_of_type(annotation)]
    for meta in typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ():
        if isinstance(meta, msgspec.Meta):
            bounds = ((name, getattr(meta, name)) for name in _BOUNDS)
            words += [_BOUNDS[name].format(bound) for name, bound in bounds if bound is not None]
    return ", ".join(words)


def rule_of_error(error: msgspec.ValidationError) -> str:
    """Return the broken rule in `error`: "Expected `int` <= 5" becomes "give a whole number <= 5"."""
    words, _ = split_error(error)
    for theirs, ours in _WORDS:
        words = words.replace(theirs, ours)
    return words


def sentence_of_error(error: msgspec.ValidationError) -> str:
    """Return `error` as a sentence with the path of the wrong value: "within_s: give a number, and not a text"."""
    _, path = split_error(error)
    rule = rule_of_error(error).replace(", got ", ", and not ")
    return f"{path}: {rule}" if path else rule


def split_error(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return msgspec's words, and the path of the wrong value in the document, such as `balance.start_above`."""
    words, _, path = str(error).partition(" - at `$")
    return words, path.strip("`.")
