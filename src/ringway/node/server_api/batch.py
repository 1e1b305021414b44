"""Batches of commands: one after the other, or side by side.

Commands of one method that follow each other are carried out together, in their order, if the method can do that:
publications are, and share round trips to the engine.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from ringway.errors import CommandError
from ringway.node.server_api.calls import ApiCalls, encode_in_batch
from ringway.node.server_api.publishing import error_of
from ringway.protocol.command import Raw
from ringway.protocol.errorcode import LIMIT_EXCEEDED, METHOD_NOT_FOUND, command_error
from ringway.protocol.server_api import BatchRequest, BatchResult

TOGETHER_MAX = 128
"""Commands, or groups of them, that are begun side by side."""

Commands = Sequence[Mapping[str, Raw]]


async def run_batch(calls: ApiCalls, commands_max: int, request: BatchRequest) -> BatchResult:
    """Return the replies of the commands, in their order. Raise `CommandError` if there are too many."""
    if len(request.commands) > commands_max:
        raise too_many(len(request.commands), commands_max)
    groups = _groups(calls, request.commands)
    width = TOGETHER_MAX if request.parallel else 1
    replies: list[Raw] = []
    for start in range(0, len(groups), width):
        together = groups[start : start + width]
        for part in await asyncio.gather(*(_run_group(calls, *group) for group in together)):
            replies += part
    return BatchResult(replies)


def too_many(count: int, commands_max: int) -> CommandError:
    """Return the error for a batch of `count` commands."""
    return command_error(
        LIMIT_EXCEEDED, f"{count} commands; at most {commands_max} are allowed (http_api.commands_max): split the batch"
    )


def _groups(calls: ApiCalls, commands: Commands) -> list[tuple[str, Commands]]:
    """Split into groups that are carried out together, each with its method; '' for commands that name none."""
    groups: list[tuple[str, Commands]] = []
    for method, following in groupby(commands, calls.method_of):
        if method and calls.methods[method].run_many is not None:
            groups.append((method, list(following)))
        else:
            groups += ((method, [command]) for command in following)
    return groups


async def _run_group(calls: ApiCalls, method: str, commands: Commands) -> list[Raw]:
    """Return the replies of a group of commands."""
    if not method:
        return [Raw(encode_in_batch("", _unknown(calls, command))) for command in commands]
    results: list[msgspec.Struct | None] = []
    requests = []
    for command in commands:
        try:
            requests.append(calls.read(method, bytes(command[method])))
            results.append(None)
        except CommandError as error:
            results.append(error_of(error))
    found = iter(await calls.call_each(method, requests))
    return [Raw(encode_in_batch(method, next(found) if result is None else result)) for result in results]


def _unknown(calls: ApiCalls, command: Mapping[str, Raw]) -> msgspec.Struct:
    calls.count("unknown", METHOD_NOT_FOUND)
    there = ", ".join(calls.methods)
    said = ", ".join(name[:40] for name in list(command)[:5]) or "none"
    return error_of(command_error(METHOD_NOT_FOUND, f"a command names {said}; it names one of {there}"))
