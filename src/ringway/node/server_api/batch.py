"""Batches of commands: one after the other, or side by side.

Publications that follow each other are begun together, in their order, so that they share round trips to the engine.
"""

import asyncio

from ringway.errors import CommandError
from ringway.node.server_api.calls import ApiCalls, encode_in_batch
from ringway.protocol.command import Raw
from ringway.protocol.errorcode import LIMIT_EXCEEDED, command_error
from ringway.protocol.server_api import BatchRequest, BatchResult

TOGETHER_MAX = 128
"""Commands that are begun together."""

PUBLISH = "publish"


async def run_batch(calls: ApiCalls, commands_max: int, request: BatchRequest) -> BatchResult:
    """Return the replies of the commands, in their order. Raise `CommandError` if there are too many."""
    commands = request.commands
    if len(commands) > commands_max:
        raise too_many(len(commands), commands_max)
    replies: list[Raw] = []
    while len(replies) < len(commands):
        rest = commands[len(replies) : len(replies) + TOGETHER_MAX]
        together = rest if request.parallel else rest[: max(1, _count_publications(rest))]
        outcomes = await asyncio.gather(*(calls.call_named(command) for command in together))
        replies += (Raw(encode_in_batch(method, result)) for method, result in outcomes)
    return BatchResult(replies)


def too_many(count: int, commands_max: int) -> CommandError:
    """Return the error for a batch of `count` commands."""
    return command_error(
        LIMIT_EXCEEDED, f"{count} commands; at most {commands_max} are allowed (http_api.commands_max): split the batch"
    )


def _count_publications(commands: list[dict[str, Raw]]) -> int:
    """Return how many of the first `commands` publish."""
    return next((at for at, command in enumerate(commands) if list(command) != [PUBLISH]), len(commands))
