"""Hooks of channels: which hook decides about a subscription or a publication, by the options of its namespace."""

from ringway.core.permission import is_reserved
from ringway.hooks.hook import Hook
from ringway.node.commands.context import CommandContext
from ringway.node.config.namespace import Namespaces
from ringway.types import Channel


def subscribe_hook(context: CommandContext, channel: Channel) -> Hook | None:
    """Return the hook that decides who subscribes to `channel` without a token; None if options decide."""
    name = subscribe_hook_name(context.channels.namespaces, channel)
    return context.hooks.named(name) if name else None


def subscribe_hook_name(namespaces: Namespaces, channel: Channel) -> str:
    """Return the name of the hook that decides who subscribes to `channel` without a token; '' if options decide."""
    name = namespaces.of(channel).subscribe_hook
    return "" if not name or is_reserved(namespaces.rules_of(channel), channel) else name


def publish_hook(context: CommandContext, channel: Channel) -> Hook | None:
    """Return the hook that decides who publishes to `channel`; None if options decide."""
    return context.hooks.named(context.channels.namespaces.of(channel).publish_hook)
