"""Subscribe command, with the recovery of missed publications; and joining a channel (PROTOCOL.md P-4.5, P-4.13).

The reply and the entry in the hub belong to one loop turn: the reply has the position up to which the client has all
publications, and all later publications are delivered to it.
"""

import asyncio
from functools import partial

import msgspec

from ringway.core.replay_buffer import ReplayEntry
from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import EngineError
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import engine_failed, error_reply
from ringway.node.commands.outcome import Gone, PendingReply
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import encode
from ringway.protocol.command import REJECT_UNRECOVERED, Reply, SubscribeRequest, SubscribeResult
from ringway.protocol.errorcode import (
    ALREADY_SUBSCRIBED,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    UNRECOVERABLE_POSITION,
    command_error,
)
from ringway.types import Channel

_NOTHING = (b"", b"null")
"""A value in JSON that is absent."""


def subscribe(
    context: CommandContext, connection: Connection, command_id: int, request: SubscribeRequest
) -> bytes | PendingReply:
    """Carry out one subscribe command now, or return its pending reply if it needs the engine. Raise `CommandError`."""
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    _check_served(request)
    if channel in connection.channels:
        raise command_error(ALREADY_SUBSCRIBED, f"to {channel}")
    if len(connection.channels) >= context.config.subscriptions_max:
        raise command_error(LIMIT_EXCEEDED, f"{context.config.subscriptions_max} subscriptions a connection")
    if not _needs_engine(context, channel, request) and context.channels.streams.interest.claim(channel):
        return _join(context, connection, command_id, channel, request, [])
    return PendingReply(partial(_subscribe_later, context, connection, command_id, channel, request))


async def ask_ahead(
    context: CommandContext, connection: Connection, request: SubscribeRequest, turn: asyncio.Semaphore
) -> None:
    """Send the engine the requests that `subscribe` will need, so that those of many commands are under way together.

    Errors may be ignored: `subscribe` meets them again. `turn` bounds the requests of all clients together. There is no
    request for a client that is gone by its turn: clients that come and go would leave more and more requests behind.
    """
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    if not _needs_engine(context, channel, request):
        return
    async with asyncio.timeout(context.config.engine_deadline_s), turn:
        if not connection.is_usable:
            return
        await context.channels.streams.obtain(channel)
        try:
            if _recovers(context, channel, request):
                await _recover(context, connection, channel, request)
        finally:
            context.channels.streams.release(channel)


def join(
    context: CommandContext,
    connection: Connection,
    channel: Channel,
    rights: SubscriptionRights | None = None,
    *,
    watching: bool = False,
    silently: bool = False,
) -> None:
    """Deliver the publications of `channel` to `connection` from now on (`Channels.join`).

    `rights` are those of the subscription, if it has any of its own.
    """
    connection.set_rights(channel, rights)
    context.channels.join(connection, channel, watching=watching, silently=silently)
    connection.channels.append(channel)


def leave(context: CommandContext, connection: Connection, channel: Channel, *, silently: bool = False) -> None:
    """Stop the delivery of `channel`, which the connection has joined (`Channels.leave`).

    Its rights there stay known, for the description of a client that is gone or moved.
    """
    connection.channels.remove(channel)
    context.channels.leave(connection, channel, silently=silently)


def _needs_engine(context: CommandContext, channel: Channel, request: SubscribeRequest) -> bool:
    """True if this node does not hold the channel, or lacks publications that the client missed."""
    streams = context.channels.streams
    if _recovers(context, channel, request):
        return not streams.is_current(channel, request.epoch, request.offset)
    return not streams.interest.holds(channel)


def _recovers(context: CommandContext, channel: Channel, request: SubscribeRequest) -> bool:
    return request.recover and context.channels.namespaces.of(channel).recoverable


def _check_served(request: SubscribeRequest) -> None:
    """Refuse unsupported options that select publications: without an error, the client would rely on them."""
    if request.token:
        raise command_error(NOT_AVAILABLE, "a subscription token was sent, and this node checks none")
    if bytes(request.type) not in (*_NOTHING, b"0"):
        kind = bytes(request.type)[:20].decode(errors="replace")
        raise command_error(NOT_AVAILABLE, f"a subscription of the type {kind}; streams (0) are served")
    if bytes(request.tf) not in _NOTHING:
        raise command_error(NOT_AVAILABLE, "a filter by tags (tf) is not served; subscribe without, and filter there")


async def _recover(
    context: CommandContext, connection: Connection, channel: Channel, request: SubscribeRequest
) -> list[ReplayEntry] | None:
    """Return the missed publications, or None; the client pays for bytes read in vain as for an answer."""
    return await context.channels.streams.recover(channel, request.epoch, request.offset, connection.charge_answer)


async def _subscribe_later(
    context: CommandContext, connection: Connection, command_id: int, channel: Channel, request: SubscribeRequest
) -> bytes | Gone:
    streams = context.channels.streams
    missed: list[ReplayEntry] | None = None
    obtained = joined = False
    try:
        async with asyncio.timeout(context.config.engine_deadline_s):
            await streams.obtain(channel)
            obtained = True
            if _recovers(context, channel, request):
                missed = await _recover(context, connection, channel, request)
        if not connection.is_connected:
            return Gone.GONE
        joined = missed is not None or not request.recover or not request.flag & REJECT_UNRECOVERED
        if joined:
            return _join(context, connection, command_id, channel, request, missed)
        context.stats.recoveries["incomplete"] += 1
        return error_reply(context, command_id, command_error(UNRECOVERABLE_POSITION, f"of {channel}"))
    except (EngineError, TimeoutError) as error:
        return error_reply(context, command_id, engine_failed(error))
    finally:
        if obtained and not joined:
            streams.release(channel)


def _join(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    channel: Channel,
    request: SubscribeRequest,
    missed: list[ReplayEntry] | None,
) -> bytes:
    space = context.channels.namespaces.of(channel)
    join(context, connection, channel, watching=request.join_leave and space.join_leave)
    result = SubscribeResult(recoverable=space.recoverable, positioned=space.positioned)
    if space.positioned:
        stream = context.channels.streams.flush(channel)
        result.epoch, result.offset = stream.epoch, stream.position
    if request.recover:
        result.was_recovering = True
        result.recovered = space.recoverable and missed is not None
        context.stats.recoveries["complete" if result.recovered else "incomplete"] += 1
        if result.recovered and missed:
            result.offset = request.offset  # the publications in the reply come after it
            result.publications = [msgspec.Raw(entry.body) for entry in missed]
    reply = encode(Reply(id=command_id, subscribe=result))
    if request.recover:
        connection.charge_answer(len(reply))
    return reply
