"""Policies as operators write them: `two-choices`, `rendezvous:key=query.room,c=1.1`, or as a table in TOML."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ringway.core.placement.policy import Options
from ringway.errors import ConfigError
from ringway.protocol.spec import OptionErrors, convert_options, read_pairs, suggestion, text_of_value

DEFAULT_POLICY = "two-choices"


class PolicySpec(msgspec.Struct, frozen=True):
    """A policy's name, and the options that were given for it, as text. `str` is the short form."""

    name: str
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.given)
        return f"{self.name}:{options}" if options else self.name


_ERRORS = OptionErrors(
    malformed="the policy {subject!r} has {item!r} for an option; write it as name:option=value,option=value",
    repeated="the policy {subject!r} gives the option {option!r} twice; give it once",
    unknown="the policy {subject} has no option {option!r}; {suggestion}",
    wrong="the option {item} of the policy {subject} is wrong: {rule}",
    otherwise="choose one of",
)


def parse_spec(text: str) -> PolicySpec:
    """Read the short form `text`; names are not checked here. Raise `ConfigError` if its options have no form."""
    name, colon, rest = text.strip().partition(":")
    problems: list[str] = []
    given = read_pairs(rest.split(",") if colon else (), text, _ERRORS, problems)
    if problems:
        raise ConfigError(*problems)
    return PolicySpec(name.strip(), tuple(given.items()))


def spec_of_table(table: Mapping[str, Any]) -> PolicySpec:
    """Read a TOML table: `name`, and the options beside it. Raise `ConfigError` if it has no name."""
    name = table.get("name")
    if not isinstance(name, str):
        raise ConfigError('a policy given as a table needs its name: policy = {name = "two-choices", d = 3}')
    return PolicySpec(name, tuple((key, text_of_value(value)) for key, value in table.items() if key != "name"))


def short_policy(table: Mapping[str, Any]) -> str:
    """Return the short form of a policy table; raise `ConfigError` if it has no short form."""
    spec = spec_of_table(table)
    try:
        same = parse_spec(str(spec)) == spec
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(f"the policy {dict(table)} has a comma in a value; write its values without")
    return str(spec)


def read_options(spec: PolicySpec, options_type: type[Options]) -> Options:
    """Return the typed options of `spec`; raise one `ConfigError` with the remedy for each wrong option."""
    problems: list[str] = []
    values = convert_options(spec.given, options_type, spec.name, _ERRORS, problems)
    if not problems:
        try:
            return options_type(**values)
        except ConfigError as error:
            problems += error.problems
    raise ConfigError(*problems)


def unknown_policy(name: str, known: list[str]) -> ConfigError:
    """Return the error for a policy that does not exist."""
    return ConfigError(f"the policy {name!r} is unknown; {suggestion(name, known, 'choose one of')}")
