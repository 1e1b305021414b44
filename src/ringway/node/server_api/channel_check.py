"""Check of the channel that a call names: backends may use every channel whose namespace is there."""

from ringway.node.commands.context import CommandContext
from ringway.node.commands.permission import check_known
from ringway.protocol.channel import check_channel
from ringway.types import Channel


def check_named(context: CommandContext, name: str) -> Channel:
    """Return `name` as a channel; raise `CommandError` 107 if it is no name, 102 if its namespace is not there."""
    channel = check_channel(name, context.config.channel_bytes_max)
    check_known(context, channel)
    return channel
