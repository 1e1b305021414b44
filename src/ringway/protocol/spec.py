"""Specs, the short form of settings with options: `rendezvous:key=query.room,c=1.1` or `ws://a:1,weight=2`.

Policies, namespaces, backends and collectors have this form. A spec is a head, and then items `option=value`
with commas between them. White space around an option or a value does not count. The caller splits the head off, and
gives the sentences for errors (`OptionErrors`): each sentence names the value, the rule and the remedy.

`split_items` is for specs whose values may contain commas: a comma in braces belongs to the value, so that labels can
be written, and a value in double quotes is a JSON string and may contain anything.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec

from ringway.protocol.rule import rule_of_error

_PLAIN = re.compile(r'[^\s,"{}$]*')


@dataclass(frozen=True, slots=True)
class OptionErrors:
    """The sentences for wrong options of one kind of spec.

    They may contain `{subject}` (the name of the spec), `{option}`, `{item}` (the option as it was written), `{known}`
    (all options), and `{rule}` in `wrong`.
    """

    unknown: str
    malformed: str = ""
    """The sentence for an item without `=`; if it is empty, such an item has an empty value."""
    repeated: str = ""
    """The sentence for a repeated option; if it is empty, the last value counts."""
    wrong: str = ""
    otherwise: str = "there are"
    """The words before all options, in a `{suggestion}`."""


def split_items(text: str) -> list[str]:
    """Return the parts of `text` between its commas; commas in braces or in quotes do not count."""
    parts = [""]
    depth, quoted, escaped = 0, False, False
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "{}":
            depth += 1 if char == "{" else -1
        elif char == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += char
    return parts


def read_pairs(
    items: Iterable[str],
    subject: str,
    errors: OptionErrors,
    problems: list[str],
    *,
    known: Collection[str] | None = None,
    show: Callable[[str], str] = str,
) -> dict[str, str]:
    """Return the options of `items` with their values as text, and add a sentence to `problems` for each wrong item.

    With `known`, all further options are wrong. `show` returns the form of an item for messages.
    """
    given: dict[str, str] = {}
    for item in items:
        option, equals, value = (part.strip() for part in item.partition("="))
        sentence = ""
        if errors.malformed and not (equals and option):
            sentence = errors.malformed
        elif known is not None and option not in known:
            sentence = errors.unknown
        elif option in given:
            sentence = errors.repeated
        if sentence:
            problems.append(
                sentence.format(subject=subject, item=show(item), option=option, known=", ".join(known or ()))
            )
        else:
            given[option] = value
    return given


def convert_options(
    given: Iterable[tuple[str, str]],
    options_type: type[msgspec.Struct],
    subject: str,
    errors: OptionErrors,
    problems: list[str],
    *,
    show: Callable[[str], str] = str,
    rule: Callable[[Any, msgspec.ValidationError], str] = lambda _, error: rule_of_error(error),
) -> dict[str, Any]:
    """Return typed values for fields of `options_type`, and add a sentence to `problems` for each wrong option.

    `errors.unknown` may contain `{suggestion}`; `rule` gives the rule of a field's type that a value breaks.
    """
    fields = {field.name: field.type for field in msgspec.structs.fields(options_type)}
    values: dict[str, Any] = {}
    for option, text in given:
        words = {"subject": subject, "option": option, "item": show(f"{option}={text}"), "known": ", ".join(fields)}
        if option not in fields:
            problems.append(errors.unknown.format(**words, suggestion=suggestion(option, fields, errors.otherwise)))
            continue
        try:
            values[option] = msgspec.convert(text, fields[option], strict=False)
        except msgspec.ValidationError as error:
            problems.append(errors.wrong.format(**words, rule=rule(fields[option], error)))
    return values


def suggestion(name: str, known: Iterable[str], otherwise: str = "there are") -> str:
    """Return "did you mean 'x'?" if a name of `known` is near to `name`; otherwise all of `known`."""
    known = list(known)
    if not known:
        return "it has none"
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"{otherwise} {', '.join(known)}"


def text_of_value(value: Any) -> str:
    """Return the form of a TOML table's value in a spec."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def quote_value(value: str) -> str:
    """Return the form of `value` in a spec for `split_items`: without white space, which separates specs in lists."""
    if _PLAIN.fullmatch(value):
        return value
    return msgspec.json.encode(value).decode().replace(" ", "\\u0020")


def unquote_value(text: str) -> str:
    """Return the value of `text`, which may be in quotes; raise `ValueError` if the quotes do not match."""
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text
