"""Namespaces and the options of their channels: `chat:room-1` belongs to the namespace `chat` if it has options.

All other names, with a colon or without, belong to the namespace `default`. In TOML each namespace is a table,
`[node.namespaces.chat]`; elsewhere it has a short form, `chat:history_size=50,presence=false`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from ringway.errors import ConfigError
from ringway.ports import Retention
from ringway.protocol.spec import OptionErrors, convert_options, read_pairs, text_of_value
from ringway.types import Channel

DEFAULT = "default"

_NAME = re.compile("[A-Za-z0-9_-]{1,32}")
_ERRORS = OptionErrors(
    unknown="the namespace {subject} has no option {option!r}; there are {known}",
    wrong="the option {item} of the namespace {subject} is wrong: {rule}",
)


class ChannelOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one namespace."""

    history_size: Annotated[
        int,
        msgspec.Meta(
            description="Publications that the engine stores of each channel. 0: none; then publications are sent and "
            "forgotten, and clients that are not connected miss them.",
            ge=0,
            le=100_000,
        ),
    ] = 100
    history_ttl_s: Annotated[
        float,
        msgspec.Meta(description="Each publication is stored for this long.", ge=1, le=31_536_000, extra={"unit": "s"}),
    ] = 300.0
    recovery: Annotated[
        bool,
        msgspec.Meta(
            description="Returning clients get the publications that they missed, or are told that some are missing. "
            "Needs history; off without it."
        ),
    ] = True
    positioning: Annotated[
        bool,
        msgspec.Meta(
            description="Clients are closed with 3010 if the node missed publications that history cannot supply. "
            "Needs history; `recovery` includes it."
        ),
    ] = True
    presence: Annotated[
        bool,
        msgspec.Meta(description="Clients may ask who is subscribed. It costs nothing until a client asks."),
    ] = True
    join_leave: Annotated[
        bool,
        msgspec.Meta(
            description="Clients that ask for it are told who joins and leaves. Each join and leave is a message "
            "through the engine, even if no client asks."
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class Namespace:
    """The options of a namespace, in the form that a node uses."""

    name: str
    retention: Retention | None  # None: no history
    recoverable: bool
    positioned: bool
    presence: bool
    join_leave: bool


class Namespaces:
    """All namespaces of a node; `of` finds the namespace of a channel. Raise `ConfigError` as `read_namespaces`."""

    __slots__ = ("_default", "_named")

    def __init__(self, specs: Iterable[str] = ()) -> None:
        self._named = read_namespaces(specs)
        self._default = self._named.setdefault(DEFAULT, _namespace(DEFAULT, ChannelOptions()))

    def of(self, channel: Channel) -> Namespace:
        """Return the namespace of `channel`."""
        name, colon, _ = channel.partition(":")
        return self._named.get(name, self._default) if colon else self._default

    def retentions(self) -> list[Retention]:
        """Return the retentions that the engine is to provide."""
        return [space.retention for space in self._named.values() if space.retention is not None]


def read_namespaces(specs: Iterable[str]) -> dict[str, Namespace]:
    """Return the namespaces of the short forms `specs`, by name; raise one `ConfigError` with all faults."""
    found: dict[str, Namespace] = {}
    problems: list[str] = []
    for spec in specs:
        try:
            namespace = _read(spec)
        except ConfigError as error:
            problems += error.problems
            continue
        if namespace.name in found:
            problems.append(f"the namespace {namespace.name} is given twice; give it once, with all its options")
        found[namespace.name] = namespace
    if problems:
        raise ConfigError(*problems)
    return found


def short_namespaces(tables: Mapping[str, Any]) -> list[str]:
    """Return the short forms of `[node.namespaces.NAME]` tables; raise `ConfigError` if a value is not a table."""
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{name} = {table!r} stands where a namespace belongs; write [node.namespaces.{name}]")
    return [
        f"{name}:" + ",".join(f"{option}={text_of_value(value)}" for option, value in table.items())
        for name, table in tables.items()
    ]


def _read(spec: str) -> Namespace:
    name, _, rest = spec.partition(":")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"the namespace {name!r} has no usable name; give 1 to 32 letters, digits, '_' or '-'")
    problems: list[str] = []
    given = read_pairs(filter(None, rest.split(",")), name, _ERRORS, problems)
    values = convert_options(given.items(), ChannelOptions, name, _ERRORS, problems)
    if problems:
        raise ConfigError(*problems)
    return _namespace(name, ChannelOptions(**values))


def _namespace(name: str, options: ChannelOptions) -> Namespace:
    kept = options.history_size > 0
    return Namespace(
        name=name,
        retention=Retention(name, options.history_size, options.history_ttl_s) if kept else None,
        recoverable=kept and options.recovery,
        positioned=kept and (options.positioning or options.recovery),
        presence=options.presence,
        join_leave=options.join_leave,
    )
