"""Specs of collectors: `cpu=snmp://{host}:161/cpu,community=$COMMUNITY,threshold=0.8`, or a table.

The short form is NAME=SOURCE, and then options (`protocol.spec`), whose values may be quoted. A value `$NAME` is
replaced by the environment variable, for secrets that belong neither in a file nor in the list of processes.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.name import check_name
from ringway.protocol.rule import rule_of_type
from ringway.protocol.spec import (
    OptionErrors,
    convert_options,
    quote_value,
    read_pairs,
    split_items,
    text_of_value,
    unquote_value,
)

SECRETS = ("community", "auth_key", "priv_key", "bearer")
HIDDEN = "(hidden)"

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_CREDENTIALS = re.compile("//[^/,]*@")
_ERRORS = OptionErrors(
    malformed="the collector {subject} has {item!r} for an option; write option=value",
    repeated="the collector {subject} gives the option {option!r} twice; give it once",
    unknown="there is no option {option!r} with this source; {suggestion}",
    wrong="the option {item} must be {rule}",
)

S = TypeVar("S", bound=msgspec.Struct)


class CollectorSpec(msgspec.Struct, frozen=True):
    """The spec of a metric: its name, the source of its values, and options as text. `str` is the short form."""

    name: str
    source: str
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return ",".join([f"{self.name}={self.source}", *(f"{key}={_quoted(value)}" for key, value in self.given)])


def parse_spec(text: str, environ: Mapping[str, str] | None = None) -> CollectorSpec:
    """Read the short form `text`; raise `ConfigError` if it has no form.

    Values `$NAME` are replaced from `environ`; without it they stay.
    """
    head, *items = split_items(text)
    name, equals, source = head.partition("=")
    if not equals or not source:
        raise ConfigError(
            f"the collector {hide_secrets(text)!r} has no source; write NAME=SOURCE,option=value, "
            "such as cpu=snmp://{host}:161/cpu,community=$COMMUNITY"
        )
    check_name(name.strip())
    problems: list[str] = []
    pairs = read_pairs(items, name, _ERRORS, problems, show=_safe)
    if problems:
        raise ConfigError(*problems)
    given = tuple((option, _value(name, option, value, environ)) for option, value in pairs.items())
    return CollectorSpec(name.strip(), source.strip(), given)


def spec_of_table(table: Mapping[str, Any]) -> str:
    """Return the short form of a TOML table: `name`, `source`, and the options beside them."""
    name, source = table.get("name"), table.get("source")
    if not isinstance(name, str) or not isinstance(source, str):
        raise ConfigError('a collector needs name = "cpu" and source = "snmp://{host}:161/cpu"')
    given = tuple((key, text_of_value(value)) for key, value in table.items() if key not in ("name", "source"))
    return str(CollectorSpec(name, source, given))


def hide_secrets(text: str) -> str:
    """Return the short form `text` without secrets, for messages. References to the environment stay."""
    return ",".join(_safe(item) for item in split_items(_CREDENTIALS.sub("//", text)))


def read_options(spec: CollectorSpec, options_type: type[S]) -> S:
    """Return the typed options of `spec`; raise one `ConfigError` with the remedy for each wrong option."""
    problems: list[str] = []
    values = convert_options(
        spec.given, options_type, spec.name, _ERRORS, problems, show=_safe, rule=lambda kind, _: rule_of_type(kind)
    )
    if problems:
        raise ConfigError(*problems)
    return options_type(**values)


def _value(name: str, option: str, text: str, environ: Mapping[str, str] | None) -> str:
    if text.startswith('"'):
        try:
            return unquote_value(text)
        except ValueError:
            raise ConfigError(f"the option {option} of the collector {name} has quotes that do not match") from None
    found = _VARIABLE.fullmatch(text)
    if found is None or environ is None:
        return text
    if found[1] not in environ:
        raise ConfigError(f"the option {option} of the collector {name} is taken from ${found[1]}, which is not set")
    return environ[found[1]]


def _quoted(value: str) -> str:
    return value if _VARIABLE.fullmatch(value) else quote_value(value)


def _safe(item: str) -> str:
    """Return `option=value` without the value if it is secret."""
    option, equals, value = item.partition("=")
    if option.strip() in SECRETS and equals and not _VARIABLE.fullmatch(value.strip()):
        return f"{option}={HIDDEN}"
    return item
