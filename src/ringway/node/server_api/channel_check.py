"""Check of the channel that a call names: backends may use every channel whose namespace is there."""

from ringway.node.commands.context import CommandContext
from ringway.node.commands.permission import check_known
from ringway.node.config.namespace import Namespace
from ringway.protocol.channel import check_channel
from ringway.types import Channel


def check_named(context: CommandContext, name: str) -> Channel:
    """Return `name` as a channel; raise `CommandError` 107 if it is no name, 102 if its namespace is not there."""
    channel, _ = find_named(context, name)
    return channel


def find_named(context: CommandContext, name: str) -> tuple[Channel, Namespace]:
    """Return `name` as a channel, and its namespace; raise as `check_named`."""
    channel = check_channel(name, context.config.channel_bytes_max)
    return channel, check_known(context, channel)
