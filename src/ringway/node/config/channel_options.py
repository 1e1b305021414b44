"""Options of one namespace, with the unit, bound and reason of each. Names of rights are Centrifugo's."""

import re
from typing import Annotated

import msgspec

from ringway.core.permission import NO_GRANT, Action, ChannelRules, Grant
from ringway.errors import ConfigError

REGEX_BYTES_MAX = 1024


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
    force_push_join_leave: Annotated[
        bool,
        msgspec.Meta(
            description="All subscribers are told who joins and leaves, also those that did not ask for it and have no "
            "right to presence. Needs `join_leave`."
        ),
    ] = False
    allow_subscribe_for_client: Annotated[
        bool,
        msgspec.Meta(
            description="Clients with a user may subscribe without a subscription token; not to private channels ($), "
            "nor to user-limited ones."
        ),
    ] = False
    allow_subscribe_for_anonymous: Annotated[
        bool, msgspec.Meta(description="`allow_subscribe_for_client` holds for anonymous clients as well.")
    ] = False
    allow_publish_for_client: Annotated[
        bool,
        msgspec.Meta(
            description="Clients with a user may publish; to private channels and to those of other users only while "
            "they are subscribed."
        ),
    ] = False
    allow_publish_for_subscriber: Annotated[
        bool, msgspec.Meta(description="Clients with a user may publish to channels to which they are subscribed.")
    ] = False
    allow_publish_for_anonymous: Annotated[
        bool, msgspec.Meta(description="The two options above hold for anonymous clients as well.")
    ] = False
    allow_presence_for_client: Annotated[
        bool,
        msgspec.Meta(
            description="Clients with a user may ask who is subscribed, and be told of joins and leaves; in private "
            "channels and those of other users only while they are subscribed."
        ),
    ] = False
    allow_presence_for_subscriber: Annotated[
        bool, msgspec.Meta(description="The same in channels to which they are subscribed.")
    ] = False
    allow_presence_for_anonymous: Annotated[
        bool, msgspec.Meta(description="The two options above hold for anonymous clients as well.")
    ] = False
    allow_history_for_client: Annotated[
        bool,
        msgspec.Meta(
            description="Clients with a user may ask for the history; in private channels and those of other users "
            "only while they are subscribed. Recovery needs no such right."
        ),
    ] = False
    allow_history_for_subscriber: Annotated[
        bool, msgspec.Meta(description="The same in channels to which they are subscribed.")
    ] = False
    allow_history_for_anonymous: Annotated[
        bool, msgspec.Meta(description="The two options above hold for anonymous clients as well.")
    ] = False
    allow_user_limited_channels: Annotated[
        bool,
        msgspec.Meta(
            description="A channel with # in its name is for the users behind the last #, with commas between them "
            "(dialog#carol,dave): they may subscribe, and others may not. Off: # is a character like others."
        ),
    ] = False
    subscribe_hook: Annotated[
        str,
        msgspec.Meta(
            description="The hook that is asked whether a client without a subscription token may subscribe, in place "
            "of the two options for that; not for private and user-limited channels. Empty: none.",
            max_length=32,
        ),
    ] = ""
    sub_refresh_hook: Annotated[
        str,
        msgspec.Meta(
            description="The hook that is asked, when a subscription has come to its end, whether it goes on; then "
            "clients send no new tokens for it. Empty: none.",
            max_length=32,
        ),
    ] = ""
    publish_hook: Annotated[
        str,
        msgspec.Meta(
            description="The hook that is asked whether a client may publish, and what, in place of the options for "
            "that. Empty: none.",
            max_length=32,
        ),
    ] = ""
    channel_regex: Annotated[
        str,
        msgspec.Meta(
            description="Pattern that the name of a channel must match behind $ and namespace; else error 107. It is "
            "searched for: begin with ^ and end with $ to match the whole. Empty: any name.",
            max_length=REGEX_BYTES_MAX,
        ),
    ] = ""


def rules_of_options(options: ChannelOptions) -> ChannelRules:
    """Return the rules of channels with `options`. Raise `ConfigError` if the pattern is none."""
    grants = {
        Action.SUBSCRIBE: Grant(options.allow_subscribe_for_client, False, options.allow_subscribe_for_anonymous),
        Action.PUBLISH: Grant(
            options.allow_publish_for_client,
            options.allow_publish_for_subscriber,
            options.allow_publish_for_anonymous,
        ),
        Action.PRESENCE: Grant(
            options.allow_presence_for_client,
            options.allow_presence_for_subscriber,
            options.allow_presence_for_anonymous,
        ),
        Action.HISTORY: Grant(
            options.allow_history_for_client,
            options.allow_history_for_subscriber,
            options.allow_history_for_anonymous,
        ),
    }
    given = {action: grant for action, grant in grants.items() if grant != NO_GRANT}
    return ChannelRules(given, options.allow_user_limited_channels, _pattern(options.channel_regex))


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise ConfigError(f"channel_regex={text} is no pattern: {error}; see docs.python.org/3/library/re") from None
