"""Policies as operators write them: `two-choices`, `rendezvous:key=query.room,c=1.1`, or as a table in TOML."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from ringway.core.placement.policy import Options
from ringway.errors import ConfigError


class PolicySpec(msgspec.Struct, frozen=True):
    """A policy's name, and the options that were given for it, as text. `str` is the short form."""

    name: str
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.given)
        return f"{self.name}:{options}" if options else self.name


def parse_spec(text: str) -> PolicySpec:
    """Return what the short form `text` says. Names are not checked here; raise `ConfigError` where it has no form."""
    name, colon, rest = text.strip().partition(":")
    given: dict[str, str] = {}
    for item in rest.split(",") if colon else ():
        option, equals, value = item.partition("=")
        if not equals or not option.strip():
            raise ConfigError(
                f"the policy {text!r} has {item!r} for an option; write it as name:option=value,option=value"
            )
        if option.strip() in given:
            raise ConfigError(f"the policy {text!r} gives the option {option.strip()!r} twice; give it once")
        given[option.strip()] = value.strip()
    return PolicySpec(name.strip(), tuple(given.items()))


def spec_of_table(table: Mapping[str, Any]) -> PolicySpec:
    """Return what a TOML table says: `name`, and the options beside it. Raise `ConfigError` where it has no name."""
    options = {key: value for key, value in table.items() if key != "name"}
    name = table.get("name")
    if not isinstance(name, str):
        raise ConfigError('a policy given as a table needs its name: policy = {name = "two-choices", d = 3}')
    shown = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in options.items()}
    return PolicySpec(name, tuple(shown.items()))


def read_options(spec: PolicySpec, options_type: type[Options]) -> Options:
    """Return the options of `spec`, typed; raise one `ConfigError` that says of each wrong one what would be right."""
    fields = {field.name: field for field in msgspec.structs.fields(options_type)}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, text in spec.given:
        field = fields.get(name)
        if field is None:
            problems.append(f"the policy {spec.name} has no option {name!r}{_instead(name, list(fields))}")
            continue
        try:
            values[name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"the option {name}={text} of the policy {spec.name} is wrong: {_rule(error)}")
    if not problems:
        try:
            return options_type(**values)
        except ConfigError as error:
            problems += error.problems
    raise ConfigError(*problems)


def unknown_policy(name: str, known: list[str]) -> ConfigError:
    """The error for a policy that there is not."""
    return ConfigError(f"the policy {name!r} is unknown{_instead(name, known)}")


def _instead(name: str, known: list[str]) -> str:
    if not known:
        return "; it has none"
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; choose one of {', '.join(known)}"


def _rule(error: msgspec.ValidationError) -> str:
    """msgspec's words, in ours: "Expected `int` <= 5" becomes "give a whole number <= 5"."""
    words = str(error).partition(" - at ")[0]
    for theirs, ours in (
        ("Expected", "give"),
        ("`int`", "a whole number"),
        ("`float`", "a number"),
        ("`bool`", "true or false"),
        ("`str`", "a text"),
    ):
        words = words.replace(theirs, ours)
    return words
