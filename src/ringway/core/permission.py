"""Permission of a client in a channel: what the options of the channel's namespace allow it, beside its tokens.

Names and meaning are Centrifugo's (centrifugal.dev/docs/server/channel_permissions): nothing is allowed but what an
option allows, and anonymous clients need an option more. A private channel (`$`) is subscribed to by a token or by
the server alone; a user-limited one (`#carol,dave` at its end) by its users. Stricter than there: what an option allows
`for_client`, without a subscription, does not reach into private channels and into those of other users.

The decision depends on its arguments alone: the same client has the same permission at every node with these options.
"""

import enum
import re
from collections.abc import Container
from dataclasses import dataclass, field

from ringway.protocol.errorcode import BAD_REQUEST, PERMISSION_DENIED, UNKNOWN_CHANNEL

PRIVATE_PREFIX = "$"
"""The first character of private channels."""

USER_BOUNDARY = "#"
"""The character behind which a user-limited channel has its users."""

USER_SEPARATOR = ","
"""The character between two users of a user-limited channel."""

NAMESPACE_BOUNDARY = ":"
"""The character behind the namespace of a channel."""

ALLOWED = 0
"""The decision that allows; all others are error codes."""


class Ground(enum.Enum):
    """The ground of a decision: its error code, or `ALLOWED`, and words with `{action}` and `{namespace}` in them."""

    code: int
    words: str

    UNCHECKED = ALLOWED, "node.insecure allows everything"
    CLIENT = ALLOWED, "allow_{action}_for_client"
    SUBSCRIBER = ALLOWED, "allow_{action}_for_subscriber"
    CLIENT_WITHIN = ALLOWED, "allow_{action}_for_client, which reaches it only while subscribed"
    OWN = ALLOWED, "its user is named behind #"
    UNKNOWN_NAMESPACE = UNKNOWN_CHANNEL, "there is no namespace {namespace}"
    WRONG_NAME = BAD_REQUEST, "the name does not match the channel_regex of its namespace"
    PRIVATE = PERMISSION_DENIED, "to private channels ($) only a subscription token or the server subscribes"
    OTHERS = PERMISSION_DENIED, "only the users behind # may"
    ANONYMOUS = PERMISSION_DENIED, "allow_{action}_for_anonymous is not set"
    NOT_SUBSCRIBED = PERMISSION_DENIED, "it is not subscribed"
    NO_OPTION = PERMISSION_DENIED, "no option allows it"

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        self.words = words


class Action(enum.Enum):
    """What a client wants in a channel."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    PRESENCE = "presence"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Grant:
    """Whom one action is allowed to."""

    client: bool = False  # any client that has a user
    subscriber: bool = False  # such a client while it is subscribed
    anonymous: bool = False  # clients without a user are treated as those with one


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """The rules of a namespace. The usual ones allow nothing."""

    grants: dict[Action, Grant] = field(default_factory=dict)
    user_limited: bool = False
    regex: re.Pattern[str] | None = None
    is_open: bool = False  # everything is allowed to everybody


NO_GRANT = Grant()

NOTHING = ChannelRules()
"""The rules that allow nothing."""

OPEN = ChannelRules(is_open=True)
"""The rules of a node that checks nothing."""


def decide(rules: ChannelRules | None, user: str, channel: str, action: Action, subscribed: Container[str] = ()) -> int:
    """Return `ALLOWED`, or the error code for a client of `user` that wants `action` in `channel`.

    `rules` are those of the channel's namespace, None if there is no such namespace; `user` is empty for an anonymous
    client, and `subscribed` are its channels.
    """
    return ground_of(rules, user, channel, action, subscribed).code


def ground_of(
    rules: ChannelRules | None, user: str, channel: str, action: Action, subscribed: Container[str] = ()
) -> Ground:
    """Return the ground of the decision that `decide` returns."""
    if rules is None or name_problem(rules, channel):
        return Ground.UNKNOWN_NAMESPACE if rules is None else Ground.WRONG_NAME
    if rules.is_open:
        return Ground.UNCHECKED
    grant = rules.grants.get(action, NO_GRANT)
    is_limited = rules.user_limited and USER_BOUNDARY in channel
    is_private = channel.startswith(PRIVATE_PREFIX)
    is_own = is_limited and user in users_of(channel)
    is_subscribe = action is Action.SUBSCRIBE
    if is_subscribe and (is_private or is_limited):
        return Ground.PRIVATE if is_private else Ground.OWN if is_own else Ground.OTHERS
    if not (grant.client or (grant.subscriber and not is_subscribe)):
        return Ground.NO_OPTION
    if not (user or grant.anonymous):
        return Ground.ANONYMOUS
    if grant.client and not is_private and (is_own or not is_limited):
        return Ground.CLIENT
    if channel not in subscribed:
        return Ground.NOT_SUBSCRIBED
    return Ground.SUBSCRIBER if grant.subscriber else Ground.CLIENT_WITHIN


def is_reserved(rules: ChannelRules | None, channel: str) -> bool:
    """True if the name of `channel` says who may subscribe: it is private, or user-limited. No hook is asked then."""
    if rules is None or rules.is_open:
        return False
    return channel.startswith(PRIVATE_PREFIX) or (rules.user_limited and USER_BOUNDARY in channel)


def name_problem(rules: ChannelRules | None, channel: str) -> int:
    """Return `ALLOWED` if `channel` may exist, or the error code for a client that names it."""
    if rules is None:
        return UNKNOWN_CHANNEL
    return BAD_REQUEST if rules.regex is not None and not rules.regex.search(rest_of(channel)) else ALLOWED


def namespace_of(channel: str) -> str:
    """Return the name of the channel's namespace; '' if its name has none."""
    name, colon, _ = channel.removeprefix(PRIVATE_PREFIX).partition(NAMESPACE_BOUNDARY)
    return name if colon else ""


def rest_of(channel: str) -> str:
    """Return the part of the channel's name behind its private prefix and its namespace."""
    name, colon, rest = channel.removeprefix(PRIVATE_PREFIX).partition(NAMESPACE_BOUNDARY)
    return rest if colon else name


def users_of(channel: str) -> list[str]:
    """Return the users of a user-limited channel, each of which is not empty."""
    _, boundary, users = channel.rpartition(USER_BOUNDARY)
    return [user for user in users.split(USER_SEPARATOR) if user] if boundary else []


def personal_channel(namespace: str, user: str) -> str:
    """Return the personal channel of `user`, in `namespace` or, if that is empty, in none."""
    return f"{namespace}{NAMESPACE_BOUNDARY}{USER_BOUNDARY}{user}" if namespace else f"{USER_BOUNDARY}{user}"
