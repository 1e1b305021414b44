"""Collectors as operators write them: `cpu=snmp://{host}:161/cpu,community=$COMMUNITY,threshold=0.8`, or a table.

The short form is NAME=SOURCE and then options, with commas between them. Commas in braces belong to the value, so that
labels can be written; a value in double quotes is a JSON string and may hold anything. A value `$NAME` is taken from
the environment, for what should stand in no file and no list of processes.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.name import check_name

SECRETS = ("community", "auth_key", "priv_key", "bearer")
HIDDEN = "(hidden)"

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_PLAIN = re.compile(r'[^\s,"{}$]*')
_CREDENTIALS = re.compile("//[^/,]*@")

S = TypeVar("S", bound=msgspec.Struct)


class Spec(msgspec.Struct, frozen=True):
    """What was written of one metric: its name, where it is asked for, and options as text."""

    name: str
    source: str
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return ",".join([f"{self.name}={self.source}", *(f"{key}={_quoted(value)}" for key, value in self.given)])


def parse_spec(text: str, environ: Mapping[str, str] | None = None) -> Spec:
    """Return what the short form `text` says; raise `ConfigError` where it has no form.

    Values `$NAME` are taken from `environ`; without one they are left as they are.
    """
    head, *options = _split(text)
    name, equals, source = head.partition("=")
    if not equals or not source:
        raise ConfigError(
            f"the collector {hide_secrets(text)!r} has no source; write NAME=SOURCE,option=value, "
            "such as cpu=snmp://{host}:161/cpu,community=$COMMUNITY"
        )
    check_name(name.strip())
    given: dict[str, str] = {}
    for item in options:
        option, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not option:
            raise ConfigError(f"the collector {name} has {_safe(item)!r} for an option; write option=value")
        if option in given:
            raise ConfigError(f"the collector {name} gives the option {option!r} twice; give it once")
        given[option] = _value(name, option, value, environ)
    return Spec(name.strip(), source.strip(), tuple(given.items()))


def spec_of_table(table: Mapping[str, Any]) -> str:
    """Return the short form of a TOML table: `name`, `source`, and the options beside them."""
    name, source = table.get("name"), table.get("source")
    if not isinstance(name, str) or not isinstance(source, str):
        raise ConfigError('a collector needs name = "cpu" and source = "snmp://{host}:161/cpu"')
    shown = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in table.items()
        if key not in ("name", "source")
    }
    return str(Spec(name, source, tuple(shown.items())))


def hide_secrets(text: str) -> str:
    """Return the short form `text` as it may be shown. References to the environment stay."""
    return ",".join(_safe(item) for item in _split(_CREDENTIALS.sub("//", text)))


def read_options(spec: Spec, options_type: type[S]) -> S:
    """Return the options of `spec`, typed; raise one `ConfigError` that says of each wrong one what would be right."""
    fields = {field.name: field for field in msgspec.structs.fields(options_type)}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for option, text in spec.given:
        if option not in fields:
            near = get_close_matches(option, fields, n=1, cutoff=0.6)
            remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(fields)}"
            problems.append(f"there is no option {option!r} with this source; {remedy}")
            continue
        try:
            values[option] = msgspec.convert(text, fields[option].type, strict=False)
        except msgspec.ValidationError:
            problems.append(f"the option {_safe(f'{option}={text}')} must be {_rule(fields[option].type)}")
    if problems:
        raise ConfigError(*problems)
    return options_type(**values)


def _split(text: str) -> list[str]:
    """Return the parts of `text` between the commas that stand neither in braces nor in quotes."""
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


def _value(name: str, option: str, text: str, environ: Mapping[str, str] | None) -> str:
    if text.startswith('"'):
        try:
            return msgspec.json.decode(text, type=str)
        except msgspec.DecodeError:
            raise ConfigError(f"the option {option} of the collector {name} has quotes that do not match") from None
    found = _VARIABLE.fullmatch(text)
    if found is None or environ is None:
        return text
    if found[1] not in environ:
        raise ConfigError(f"the option {option} of the collector {name} is taken from ${found[1]}, which is not set")
    return environ[found[1]]


def _quoted(value: str) -> str:
    """Return `value` as the short form holds it. Without white space: the environment separates lists by it."""
    if _PLAIN.fullmatch(value) or _VARIABLE.fullmatch(value):
        return value
    return msgspec.json.encode(value).decode().replace(" ", "\\u0020")


def _safe(item: str) -> str:
    """Return `option=value` without the value where that is secret."""
    option, equals, value = item.partition("=")
    if option.strip() in SECRETS and equals and not _VARIABLE.fullmatch(value.strip()):
        return f"{option}={HIDDEN}"
    return item


def _rule(annotation: Any) -> str:
    options = list(_arms(annotation))
    if any(get_origin(arm) is Literal for arm in options):
        return "one of " + ", ".join(str(choice) for arm in options for choice in get_args(arm))
    return {bool: "true or false", float: "a number"}.get(options[0], "a text")


def _arms(annotation: Any) -> Iterator[Any]:
    arms = get_args(annotation) if get_origin(annotation) is not Literal else ()
    return (arm for arm in (arms or (annotation,)) if arm is not type(None))
