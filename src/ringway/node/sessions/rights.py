"""Rights of a session that comes: a node refuses what it would not have given the client itself.

So a move never widens rights, also while nodes have different settings: the client stays where it is, or connects anew
and is judged as a newcomer.
"""

from collections.abc import Collection, Iterable

from ringway.core.permission import Action, decide
from ringway.node.commands.context import CommandContext


def rights_refusal(
    context: CommandContext, user: str, channels: Iterable[str], granted: Collection[str], *, is_verified: bool
) -> str:
    """Return why this node refuses a session of `user` that is subscribed to `channels`; '' if it does not.

    `granted` are the channels that a token or the server gave it. `is_verified`: its client has shown a token.
    """
    if not (is_verified or context.config.takes_anonymous):
        return "the client has shown no token, and this node takes none without (allow_anonymous_connect_without_token)"
    for channel in channels:
        rules = context.channels.namespaces.rules_of(channel)
        if channel in granted and rules is not None:
            continue
        code = decide(rules, user, channel, Action.SUBSCRIBE)
        if code:
            return f"this node refuses to subscribe to {channel}, with error {code}; give all nodes the same settings"
    return ""
