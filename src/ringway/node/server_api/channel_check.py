"""Check of the channel that a call names: backends may use every channel whose namespace is there."""

from ringway.node.commands.context import CommandContext
from ringway.protocol.channel import check_channel
from ringway.protocol.errorcode import UNKNOWN_CHANNEL, command_error
from ringway.types import Channel


def check_named(context: CommandContext, name: str) -> Channel:
    """Return `name` as a channel; raise `CommandError` 107 if it is no name, 102 if its namespace is not there."""
    channel = check_channel(name, context.config.channel_bytes_max)
    if context.channels.namespaces.rules_of(channel) is None:
        raise command_error(UNKNOWN_CHANNEL, f"{channel} is of a namespace that the node has no settings for")
    return channel
