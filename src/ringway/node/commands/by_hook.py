"""Commands that a hook decides: a backend is asked over HTTP, and the command goes on by its answer (PROTOCOL.md P-14).

The command waits for the answer, and the later commands of its client behind it, so that they keep their order; other
clients do not wait. A hook that fails is no reason to refuse a client for good: the command gets error 100, which is
temporary.
"""

from collections.abc import Callable
from functools import partial

from ringway.errors import CommandError
from ringway.hooks.hook import Hook, HookFailed
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import or_error_reply
from ringway.node.commands.hook_requests import answer_of, result_of
from ringway.node.commands.outcome import Gone, PendingReply, finish_after_wait
from ringway.node.connection.connection import Connection
from ringway.protocol.errorcode import INTERNAL, command_error
from ringway.protocol.hook import HookEvent, HookRequest, Result


def by_hook(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    hook: Hook,
    event: HookEvent[Result],
    request: HookRequest,
    finish: Callable[[Result | None], bytes | PendingReply],
    is_here: Callable[[], bool],
) -> PendingReply:
    """Return the pending reply that `finish` makes of the result of `hook`; None if the answer has no result.

    An error of the hook refuses the command, a disconnect closes the client. The command has no effect unless `is_here`
    says that the client is.
    """
    return PendingReply(partial(_by_answer, context, connection, command_id, hook, event, request, finish, is_here))


def failed(error: HookFailed) -> CommandError:
    """Return the refusal of a command whose hook failed. The client is not told why."""
    return command_error(INTERNAL)


async def _by_answer(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    hook: Hook,
    event: HookEvent[Result],
    request: HookRequest,
    finish: Callable[[Result | None], bytes | PendingReply],
    is_here: Callable[[], bool],
) -> bytes | Gone:
    async def answer() -> bytes | Gone:
        try:
            found = await answer_of(connection, hook, event, request, is_here)
        except HookFailed as error:
            raise failed(error) from None
        return await finish_after_wait(found, lambda answer: finish(result_of(answer)), is_here)

    return await or_error_reply(context, command_id, answer())
