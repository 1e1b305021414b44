"""Commands with a token whose key may have to be fetched first: connect, subscribe, and both refreshes."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ringway.errors import KeyUnknown
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import or_error_reply
from ringway.node.commands.outcome import Gone, PendingReply, finish_after_wait
from ringway.protocol.claims import TokenClaims

Claims = TypeVar("Claims", bound=TokenClaims)


def by_token(
    context: CommandContext,
    command_id: int,
    check: Callable[[str], Claims],
    token: str,
    finish: Callable[[Claims], bytes | PendingReply],
    is_here: Callable[[], bool],
) -> bytes | PendingReply:
    """Return what `finish` makes of the claims of `token`, now, or when keys have been fetched.

    After a fetch the command has no effect unless `is_here` says that the client is. Raise what `check` and `finish`
    raise.
    """
    try:
        claims = check(token)
    except KeyUnknown:
        return PendingReply(partial(_by_new_key, context, command_id, check, token, finish, is_here))
    return finish(claims)


async def _by_new_key(
    context: CommandContext,
    command_id: int,
    check: Callable[[str], Claims],
    token: str,
    finish: Callable[[Claims], bytes | PendingReply],
    is_here: Callable[[], bool],
) -> bytes | Gone:
    async def answer() -> bytes | Gone:
        return await finish_after_wait(await context.tokens.with_new_keys(check, token), finish, is_here)

    return await or_error_reply(context, command_id, answer())
