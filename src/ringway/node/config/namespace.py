"""Namespaces and the options of their channels: `chat:room-1` belongs to the namespace `chat` if it has options.

A name without a colon belongs to the namespace `default`, and so does any other on a node that checks no rights
(`insecure`); elsewhere there is no such channel. `$` before the name, the mark of private channels, does not count. In
TOML each namespace is a table, `[node.namespaces.chat]`; elsewhere it has a short form,
`chat:history_size=50,presence=false`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ringway.core.permission import NOTHING, OPEN, Action, ChannelRules, decide, namespace_of
from ringway.errors import ConfigError
from ringway.node.config.channel_options import ChannelOptions, rules_of_options
from ringway.ports import Retention
from ringway.protocol.spec import (
    OptionErrors,
    convert_options,
    quote_value,
    read_pairs,
    split_items,
    text_of_value,
    unquote_value,
)
from ringway.types import Channel

DEFAULT = "default"

_NAME = re.compile("[A-Za-z0-9_-]{1,32}")
_ERRORS = OptionErrors(
    unknown="the namespace {subject} has no option {option!r}; {suggestion}",
    wrong="the option {item} of the namespace {subject} is wrong: {rule}",
)


@dataclass(frozen=True, slots=True)
class Namespace:
    """The options of a namespace, in the form that a node uses."""

    name: str
    retention: Retention | None  # None: no history
    recoverable: bool
    positioned: bool
    presence: bool
    join_leave: bool
    force_push_join_leave: bool = False
    rules: ChannelRules = NOTHING
    subscribe_hook: str = ""
    publish_hook: str = ""
    sub_refresh_hook: str = ""

    @property
    def hooks(self) -> dict[str, str]:
        """The hooks of the namespace, by the options that name them."""
        given = {
            "subscribe_hook": self.subscribe_hook,
            "publish_hook": self.publish_hook,
            "sub_refresh_hook": self.sub_refresh_hook,
        }
        return {option: name for option, name in given.items() if name}

    def lack_of(self, action: Action) -> str:
        """Return why nobody can do `action` in channels that do not have what it needs; '' if they have."""
        if action is Action.HISTORY and self.retention is None:
            return "the channel keeps no history"
        if action is Action.PRESENCE and not self.presence:
            return "presence is off in this namespace"
        return ""


def will_watch_by(
    space: Namespace,
    rules: ChannelRules | None,
    user: str,
    channel: Channel,
    *,
    asks: bool,
    pushed: bool | None = None,
) -> bool:
    """True if a subscriber of `user` is told of joins and leaves in `channel`. `asks`: it asked for them.

    `rules` are those of the channel (`Namespaces.rules_of`). `pushed`: its own rights say whether it is told unasked.
    """
    if space.force_push_join_leave if pushed is None else pushed and space.join_leave:
        return True
    if not asks or not space.join_leave:
        return False
    return not decide(rules, user, channel, Action.PRESENCE, (channel,))


class Namespaces:
    """All namespaces of a node; `of` finds the namespace of a channel. Raise `ConfigError` as `read_namespaces`.

    `is_open`: everybody may do everything in every channel.
    """

    __slots__ = ("_default", "_is_open", "_named")

    def __init__(self, specs: Iterable[str] = (), *, is_open: bool = False) -> None:
        self._named = read_namespaces(specs)
        self._is_open = is_open
        self._default = self._named.setdefault(DEFAULT, _namespace(DEFAULT, ChannelOptions()))

    def of(self, channel: Channel) -> Namespace:
        """Return the namespace whose options `channel` has."""
        return self._named.get(namespace_of(channel), self._default)

    def find(self, channel: str) -> Namespace | None:
        """As `of`; None if there is no such channel, because its namespace is not there."""
        name = namespace_of(channel)
        space = self._named.get(name) if name else self._default
        return self._default if space is None and self._is_open else space

    def rules_of(self, channel: str) -> ChannelRules | None:
        """Return who may do what in `channel`; None if there is no such namespace."""
        if self._is_open:
            return OPEN
        space = self.find(channel)
        return space.rules if space is not None else None

    @property
    def names(self) -> list[str]:
        """The names of all namespaces."""
        return list(self._named)

    @property
    def has_publish_hook(self) -> bool:
        """True if a hook decides about publications in any namespace."""
        return any(space.publish_hook for space in self._named.values())

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
        f"{name}:" + ",".join(f"{option}={quote_value(text_of_value(value))}" for option, value in table.items())
        for name, table in tables.items()
    ]


def _read(spec: str) -> Namespace:
    name, _, rest = spec.partition(":")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"the namespace {name!r} has no usable name; give 1 to 32 letters, digits, '_' or '-'")
    problems: list[str] = []
    given = read_pairs(filter(None, split_items(rest)), name, _ERRORS, problems)
    try:
        given = {option: unquote_value(value) for option, value in given.items()}
    except ValueError:
        problems.append(f"the namespace {name} has a value with quotes that do not match; write it as a JSON string")
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
        force_push_join_leave=options.join_leave and options.force_push_join_leave,
        rules=rules_of_options(options),
        subscribe_hook=options.subscribe_hook,
        publish_hook=options.publish_hook,
        sub_refresh_hook=options.sub_refresh_hook,
    )
