"""Error replies: the refusal of one command."""

from collections.abc import Awaitable

from ringway.errors import CommandError, EngineAway, EngineError
from ringway.node.commands.context import CommandContext
from ringway.node.commands.outcome import Gone
from ringway.protocol.codec import encode_error
from ringway.protocol.errorcode import INTERNAL, LIMIT_EXCEEDED, command_error


def error_reply(context: CommandContext, command_id: int, error: CommandError) -> bytes:
    """Return the reply that refuses a command, and count it."""
    context.stats.errors[error.code] += 1
    return encode_error(command_id, error)


async def or_error_reply(context: CommandContext, command_id: int, work: Awaitable[bytes | Gone]) -> bytes | Gone:
    """Return the reply of `work`, or the error reply for its exception."""
    try:
        return await work
    except CommandError as error:
        return error_reply(context, command_id, error)
    except (EngineError, TimeoutError) as error:
        return error_reply(context, command_id, engine_failed(error))


def engine_failed(error: EngineError | TimeoutError) -> CommandError:
    """Return the error of a command for which the engine failed before it had any effect."""
    if isinstance(error, TimeoutError):
        return command_error(INTERNAL, "the engine did not answer in time")
    if isinstance(error, EngineAway):
        return command_error(INTERNAL, "the engine is away")
    return command_error(LIMIT_EXCEEDED, str(error))
