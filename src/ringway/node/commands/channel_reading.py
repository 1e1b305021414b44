"""Reading of a channel for clients and for backends: a page of its history, and whether it has presence."""

import asyncio

from ringway.core.permission import Action
from ringway.node.commands.context import CommandContext
from ringway.ports import Page, Retention
from ringway.protocol.command import HistoryRequest
from ringway.protocol.errorcode import NOT_AVAILABLE, UNRECOVERABLE_POSITION, command_error
from ringway.types import Channel


async def read_page(context: CommandContext, channel: Channel, request: HistoryRequest) -> Page:
    """Return the publications for which `request` asks, in a bounded number and size; for a limit of 0 the position.

    Raise `CommandError` if the channel keeps no history, `EngineError` or `TimeoutError` if the engine does not answer.
    """
    retention = check_has_history(context, channel)
    config, reader = context.config, context.channels.streams.reader
    most = config.recovery_publications_max
    limit = most if request.limit < 0 else min(request.limit, most)
    since = request.since.offset if request.since is not None else None if request.reverse else 0
    async with asyncio.timeout(config.engine_deadline_s):
        if limit == 0:
            epoch, offset = await reader.position(channel, retention)
            return Page(epoch, offset, [], complete=False)
        return await reader.read(
            channel, retention, since, limit, reverse=request.reverse, bytes_max=config.answer_bytes_max
        )


def check_has_history(context: CommandContext, channel: Channel) -> Retention:
    """Return what is kept of `channel`; raise `CommandError` 108 if it keeps no history."""
    space = context.channels.namespaces.of(channel)
    if space.retention is None:
        raise command_error(NOT_AVAILABLE, space.lack_of(Action.HISTORY))
    return space.retention


def check_epoch(request: HistoryRequest, page: Page) -> None:
    """Raise `CommandError` 112 if `request` asks for publications after a position of another epoch than the page's."""
    since = request.since
    if since is not None and since.epoch and since.epoch != page.epoch:
        raise command_error(UNRECOVERABLE_POSITION, f"the epoch is {page.epoch} now")


def check_has_presence(context: CommandContext, channel: Channel) -> None:
    """Raise `CommandError` 108 if the namespace of `channel` has no presence."""
    lack = context.channels.namespaces.of(channel).lack_of(Action.PRESENCE)
    if lack:
        raise command_error(NOT_AVAILABLE, lack)
