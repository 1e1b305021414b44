"""Subscribe command, with the recovery of missed publications; and joining a channel (PROTOCOL.md P-4.5, P-4.13).

The reply and the entry in the hub belong to one loop turn: the reply has the position up to which the client has all
publications, and all later publications are delivered to it.
"""

import asyncio
from functools import partial
from math import inf

import msgspec

from ringway.core.permission import Action
from ringway.core.replay_buffer import ReplayEntry
from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import CommandError, EngineError
from ringway.hooks.hook import Hook
from ringway.node.commands.by_hook import by_hook
from ringway.node.commands.by_token import by_token
from ringway.node.commands.channel_hooks import subscribe_hook
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import engine_failed, error_reply
from ringway.node.commands.hook_requests import meta_for
from ringway.node.commands.hook_results import rights_from
from ringway.node.commands.outcome import Gone, PendingReply
from ringway.node.commands.permission import check_allowed, check_name, will_watch
from ringway.node.commands.tokens import rights_of
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import SubscriptionClaims
from ringway.protocol.codec import encode
from ringway.protocol.command import (
    ABSENT,
    REJECT_UNRECOVERED,
    Push,
    Reply,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribePush,
    raw_or_absent,
)
from ringway.protocol.errorcode import (
    ALREADY_SUBSCRIBED,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    UNRECOVERABLE_POSITION,
    command_error,
)
from ringway.protocol.hook import SPEECH, SUBSCRIBE, HookSubscription, SubscribeHookRequest
from ringway.types import Channel

_NOTHING = (b"", b"null")
"""A value in JSON that is absent."""


def subscribe(
    context: CommandContext, connection: Connection, command_id: int, request: SubscribeRequest
) -> bytes | PendingReply:
    """Carry out one subscribe command now, or return its pending reply if it needs the engine or a key.

    Raise `CommandError`; `ProtocolError` 3500 for the token of somebody else.
    """
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    _check_served(request)
    if not _is_by_token(context, request):
        hook = subscribe_hook(context, channel)
        if hook is not None:
            return _ask_hook(context, connection, command_id, channel, request, hook)
        check_allowed(context, connection, channel, Action.SUBSCRIBE)
        return _subscribe(context, connection, command_id, channel, request, None)
    check_name(context, channel)

    def finish(claims: SubscriptionClaims) -> bytes | PendingReply:
        rights = _rights(context, connection, channel, claims)
        return _subscribe(context, connection, command_id, channel, request, rights)

    check = context.tokens.check_subscription
    return by_token(context, command_id, check, request.token, finish, lambda: connection.is_connected)


def _subscribe(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    channel: Channel,
    request: SubscribeRequest,
    rights: SubscriptionRights | None,
    data: bytes = b"",
) -> bytes | PendingReply:
    """Subscribe a client that may; `data` is for the client itself."""
    _check_joins(context, connection, channel)
    if not _needs_engine(context, channel, request) and context.channels.streams.interest.claim(channel):
        return _join(context, connection, command_id, channel, request, [], rights, data)
    return PendingReply(partial(_subscribe_later, context, connection, command_id, channel, request, rights, data))


def _ask_hook(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    channel: Channel,
    request: SubscribeRequest,
    hook: Hook,
) -> PendingReply:
    check_name(context, channel)
    _check_joins(context, connection, channel)
    credentials = connection.credentials
    asked = SubscribeHookRequest(
        client=connection.client,
        **SPEECH,
        user=credentials.user,
        channel=channel,
        meta=meta_for(hook, credentials),
        data=request.data if bytes(request.data) else ABSENT,
    )

    def finish(result: HookSubscription | None) -> bytes | PendingReply:
        given = result or HookSubscription()
        rights = rights_from(given, context.tokens.wall())
        return _subscribe(context, connection, command_id, channel, request, rights, given.first_data)

    return by_hook(context, connection, command_id, hook, SUBSCRIBE, asked, finish, lambda: connection.is_connected)


def _check_joins(context: CommandContext, connection: Connection, channel: Channel) -> None:
    """Raise `CommandError` if the client cannot join now; ask again after each wait, in the turn in which it joins."""
    queue = connection.command_queue
    if queue is not None and queue.is_unsubscribed:
        raise command_error(PERMISSION_DENIED, f"the server has ended the subscription to {channel} meanwhile")
    if channel in connection.channels:
        raise command_error(ALREADY_SUBSCRIBED, f"to {channel}")
    if len(connection.channels) >= context.config.subscriptions_max:
        raise command_error(LIMIT_EXCEEDED, f"{context.config.subscriptions_max} subscriptions a connection")
    if context.shares.counts and (lack := context.shares.lack_of_room(connection)):
        raise command_error(LIMIT_EXCEEDED, lack)


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
    if not _is_by_token(context, request):
        if subscribe_hook(context, channel) is not None:
            return  # nobody knows yet whether the engine is needed
        check_allowed(context, connection, channel, Action.SUBSCRIBE)
    else:
        check_name(context, channel)
        _rights(context, connection, channel, context.tokens.check_ahead(request.token))
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
    if rights is not None and rights.expires_at < inf:
        context.expiry.watch(connection)
    context.channels.join(connection, channel, watching=watching, silently=silently)
    connection.channels.append(channel)
    if context.shares.counts:
        context.shares.add(connection, 1)


def leave(context: CommandContext, connection: Connection, channel: Channel, *, silently: bool = False) -> None:
    """Stop the delivery of `channel`, which the connection has joined (`Channels.leave`).

    Its rights there stay known, for the description of a client that is gone or moved.
    """
    connection.channels.remove(channel)
    if context.shares.counts:
        context.shares.add(connection, -1)
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
    if bytes(request.type) not in (*_NOTHING, b"0"):
        kind = bytes(request.type)[:20].decode(errors="replace")
        raise command_error(NOT_AVAILABLE, f"a subscription of the type {kind}; streams (0) are served")
    if bytes(request.tf) not in _NOTHING:
        raise command_error(NOT_AVAILABLE, "a filter by tags (tf) is not served; subscribe without, and filter there")


def _is_by_token(context: CommandContext, request: SubscribeRequest) -> bool:
    """Return True if a token decides."""
    return bool(request.token) and (context.tokens.has_key or not context.config.insecure)


def _rights(
    context: CommandContext, connection: Connection, channel: Channel, claims: SubscriptionClaims
) -> SubscriptionRights:
    """Return the rights that the claims of a token give to the subscription; raise what `rights_of` raises."""
    now, expires = context.tokens.wall(), not context.config.insecure
    return rights_of(claims, connection.credentials, connection.client, channel, now, expires=expires)


async def _recover(
    context: CommandContext, connection: Connection, channel: Channel, request: SubscribeRequest
) -> list[ReplayEntry] | None:
    """Return the missed publications, or None; the client pays for bytes read in vain as for an answer."""
    return await context.channels.streams.recover(channel, request.epoch, request.offset, connection.charge_answer)


async def _subscribe_later(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    channel: Channel,
    request: SubscribeRequest,
    rights: SubscriptionRights | None,
    data: bytes,
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
        _check_joins(context, connection, channel)
        if rights is not None and context.tokens.is_void(connection.credentials.user, channel, rights):
            error = command_error(PERMISSION_DENIED, "the subscription token is not good")  # since it was checked
            return error_reply(context, command_id, error)
        joined = missed is not None or not request.recover or not request.flag & REJECT_UNRECOVERED
        if joined:
            return _join(context, connection, command_id, channel, request, missed, rights, data)
        context.stats.recoveries["incomplete"] += 1
        return error_reply(context, command_id, command_error(UNRECOVERABLE_POSITION, f"of {channel}"))
    except CommandError as error:
        return error_reply(context, command_id, error)
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
    rights: SubscriptionRights | None,
    data: bytes,
) -> bytes:
    result = join_channel(context, connection, channel, request, missed, rights)
    result.data = raw_or_absent(data)
    reply = encode(Reply(id=command_id, subscribe=result))
    if request.recover:
        connection.charge_answer(len(reply))
    return reply


def join_channel(
    context: CommandContext,
    connection: Connection,
    channel: Channel,
    request: SubscribeRequest,
    missed: list[ReplayEntry] | None,
    rights: SubscriptionRights | None,
) -> SubscribeResult:
    """Join `channel`; return the result, which must be sent before the next await.

    `missed` are the publications that the client missed, if it asked for them; None: completeness cannot be proved.
    """
    space = context.channels.namespaces.of(channel)
    watching = space.join_leave and will_watch(context, connection, channel, rights, asks=request.join_leave)
    join(context, connection, channel, rights, watching=watching)
    recoverable = space.recoverable and (rights is None or rights.recovers)
    positioned = space.positioned and (recoverable or rights is None or rights.positions)
    result = SubscribeResult(recoverable=recoverable, positioned=positioned)
    if rights is not None:
        result.expires, result.ttl = context.expiry.told(channel, rights.expires_at)
    if space.positioned:
        stream = context.channels.streams.flush(channel)
        result.epoch, result.offset = stream.epoch, stream.position
    if request.recover:
        result.was_recovering = True
        result.recovered = recoverable and missed is not None
        context.stats.recoveries["complete" if result.recovered else "incomplete"] += 1
        if result.recovered and missed:
            result.offset = request.offset  # the publications in the reply come after it
            result.publications = [msgspec.Raw(entry.body) for entry in missed]
    return result


def unsubscribe(context: CommandContext, connection: Connection, channel: Channel, code: int, reason: str) -> None:
    """End a subscription of a connected client, and push that to it; from code 2500 on it subscribes again."""
    leave(context, connection, channel)
    connection.set_rights(channel, None)
    push = Push(channel=channel, unsubscribe=UnsubscribePush(code, reason))
    connection.reply([encode(Reply(push=push))])
