"""Queries of clients about a channel: its history, and its subscribers (PROTOCOL.md P-4.14, P-4.15)."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from ringway.core.permission import Action
from ringway.node.commands.channel_reading import check_epoch, check_has_presence, read_page
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import or_error_reply
from ringway.node.commands.outcome import PendingReply
from ringway.node.commands.permission import check_allowed
from ringway.node.connection.connection import Connection
from ringway.ports import Page
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import encode
from ringway.protocol.command import HistoryRequest, HistoryResult, PresenceRequest, Reply
from ringway.protocol.envelope import body_of, is_sound
from ringway.types import Channel

CLIENT_BYTES = 100
"""The cost of a client in an answer about presence, also if it is only counted: about the size of its entry."""


def history(context: CommandContext, connection: Connection, command_id: int, request: HistoryRequest) -> PendingReply:
    """Answer with publications of the history, in a bounded number and size."""
    return _pending(context, command_id, partial(_history, context, connection, command_id, request))


def presence(
    context: CommandContext, connection: Connection, command_id: int, request: PresenceRequest
) -> PendingReply:
    """Answer with the subscribed clients."""
    return _pending(context, command_id, partial(_presence, context, connection, command_id, request))


def presence_stats(
    context: CommandContext, connection: Connection, command_id: int, request: PresenceRequest
) -> PendingReply:
    """Answer with the number of subscribed clients."""
    return _pending(context, command_id, partial(_presence_stats, context, connection, command_id, request))


def _pending(context: CommandContext, command_id: int, answer: Callable[[], Awaitable[bytes]]) -> PendingReply:
    return PendingReply(lambda: or_error_reply(context, command_id, answer()))


async def _history(context: CommandContext, connection: Connection, command_id: int, request: HistoryRequest) -> bytes:
    async with context.channels.streams.reader.answering:
        page = await _read(context, connection, request)
        connection.charge_answer(_read_bytes(context, request, page))
        check_epoch(request, page)
        return encode(Reply(id=command_id, history=_result(context, page, reverse=request.reverse)))


async def _presence(
    context: CommandContext, connection: Connection, command_id: int, request: PresenceRequest
) -> bytes:
    found = await context.channels.presence.clients(_present(context, connection, request))
    connection.charge_answer(sum(CLIENT_BYTES + info.info_bytes for info in found.presence.values()))
    return encode(Reply(id=command_id, presence=found))


async def _presence_stats(
    context: CommandContext, connection: Connection, command_id: int, request: PresenceRequest
) -> bytes:
    found = await context.channels.presence.stats(_present(context, connection, request))
    connection.charge_answer(found.num_clients * CLIENT_BYTES)
    return encode(Reply(id=command_id, presence_stats=found))


async def _read(context: CommandContext, connection: Connection, request: HistoryRequest) -> Page:
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    check_allowed(context, connection, channel, Action.HISTORY)
    return await read_page(context, channel, request)


def _read_bytes(context: CommandContext, request: HistoryRequest, page: Page) -> int:
    """Return the bytes that the engine may have read for `page`: NATS reads the whole channel to find the newest."""
    size = sum(len(payload) for _, payload in page.publications)
    retention = context.channels.namespaces.of(Channel(request.channel)).retention
    if not request.reverse or retention is None or not page.publications:
        return size
    return size * max(1, retention.size // len(page.publications))


def _result(context: CommandContext, page: Page, *, reverse: bool) -> HistoryResult:
    """Return the part of the page that fits into the outbox, in the requested order."""
    publications = reversed(page.publications) if reverse else page.publications
    result = HistoryResult(epoch=page.epoch, offset=page.offset, publications=[])
    size = 0
    for offset, payload in publications:
        if not is_sound(payload):
            continue
        body = body_of(payload, offset)
        size += len(body)
        if size > context.config.answer_bytes_max and result.publications:
            break
        result.publications.append(msgspec.Raw(body))
    return result


def _present(context: CommandContext, connection: Connection, request: PresenceRequest) -> Channel:
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    check_allowed(context, connection, channel, Action.PRESENCE)
    check_has_presence(context, channel)
    return channel
