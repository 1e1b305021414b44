"""Replies that refuse a command."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ringway.errors import CommandError, EngineAway, EngineError
from ringway.protocol.codec import encode_error
from ringway.protocol.errorcode import INTERNAL, LIMIT_EXCEEDED, command_error

if TYPE_CHECKING:
    from ringway.node.shared import Shared


def refuse(shared: "Shared", command_id: int, error: CommandError) -> bytes:
    """Return the reply that refuses a command, and count it."""
    shared.stats.errors[error.code] += 1
    return encode_error(command_id, error)


async def or_refusal(shared: "Shared", command_id: int, work: Awaitable[bytes]) -> bytes:
    """Return the reply that `work` makes, or the one that refuses the command for what it raises."""
    try:
        return await work
    except CommandError as error:
        return refuse(shared, command_id, error)
    except (EngineError, TimeoutError) as error:
        return refuse(shared, command_id, engine_failed(error))


def engine_failed(error: EngineError | TimeoutError) -> CommandError:
    """Return what a client is told of an engine that failed: before it took anything."""
    if isinstance(error, TimeoutError):
        return command_error(INTERNAL, "the engine did not answer in time")
    if isinstance(error, EngineAway):
        return command_error(INTERNAL, "the engine is away")
    return command_error(LIMIT_EXCEEDED, str(error))
