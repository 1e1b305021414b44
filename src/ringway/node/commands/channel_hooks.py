"""Hooks of channels: which hook decides about a subscription or a publication, by the options of its namespace."""

from ringway.core.permission import is_reserved
from ringway.hooks.hook import Hook
from ringway.node.commands.context import CommandContext
from ringway.types import Channel


def subscribe_hook(context: CommandContext, channel: Channel) -> Hook | None:
    """Return the hook that decides who subscribes to `channel` without a token; None if options decide."""
    namespaces = context.channels.namespaces
    name = namespaces.of(channel).subscribe_hook
    if not name or is_reserved(namespaces.rules_of(channel), channel):
        return None
    return context.hooks.named(name)


def publish_hook(context: CommandContext, channel: Channel) -> Hook | None:
    """Return the hook that decides who publishes to `channel`; None if options decide."""
    return context.hooks.named(context.channels.namespaces.of(channel).publish_hook)
