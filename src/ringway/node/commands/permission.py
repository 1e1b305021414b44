"""Permission of a client's commands: the decision of `core.permission`, by the options of this node."""

from ringway.core.permission import Action, decide, name_problem
from ringway.core.subscription_rights import SubscriptionRights
from ringway.node.commands.context import CommandContext
from ringway.node.config.namespace import Namespace, Namespaces, will_watch_by
from ringway.node.connection.connection import Connection
from ringway.protocol.errorcode import BAD_REQUEST, PERMISSION_DENIED, UNKNOWN_CHANNEL, command_error
from ringway.types import Channel

_WORDS = {
    UNKNOWN_CHANNEL: "the namespace of {channel} is not among those of this node",
    BAD_REQUEST: "the name {channel} does not match the channel_regex of its namespace",
    PERMISSION_DENIED: "no token and no option of its namespace allows {action} in {channel}",
}


def check_allowed(context: CommandContext, connection: Connection, channel: Channel, action: Action) -> None:
    """Raise `CommandError` 102, 103 or 107 unless the client may do `action` in `channel`."""
    rules = context.channels.namespaces.rules_of(channel)
    code = decide(rules, connection.credentials.user, channel, action, connection.channels)
    if code:
        raise command_error(code, _WORDS[code].format(channel=channel, action=action.value))


def check_known(context: CommandContext, channel: Channel) -> Namespace:
    """Return the namespace of `channel`; raise `CommandError` 102 if there is none."""
    return check_known_in(context.channels.namespaces, channel)


def check_known_in(namespaces: Namespaces, channel: Channel) -> Namespace:
    """As `check_known`, for a node with these `namespaces`."""
    space = namespaces.find(channel)
    if space is None:
        raise command_error(UNKNOWN_CHANNEL, _WORDS[UNKNOWN_CHANNEL].format(channel=channel))
    return space


def check_name(context: CommandContext, channel: Channel) -> None:
    """Raise `CommandError` 102 or 107 unless there may be such a channel."""
    code = name_problem(context.channels.namespaces.rules_of(channel), channel)
    if code:
        raise command_error(code, _WORDS[code].format(channel=channel))


def will_watch(
    context: CommandContext, connection: Connection, channel: Channel, rights: SubscriptionRights | None, *, asks: bool
) -> bool:
    """True if the client is told of joins and leaves in `channel` once it is subscribed. `asks`: it asked for them.

    `rights` are those of the subscription, if it has any of its own.
    """
    namespaces, user = context.channels.namespaces, connection.credentials.user
    pushed = None if rights is None else rights.pushes_joins
    return will_watch_by(namespaces.of(channel), namespaces.rules_of(channel), user, channel, asks=asks, pushed=pushed)
