"""Publish command: through the channel's history, or directly to the subscribers without one (PROTOCOL.md P-4.7)."""

import asyncio
from functools import partial

from ringway.core.permission import Action
from ringway.errors import CommandError, EngineError, Unconfirmed
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import engine_failed, error_reply
from ringway.node.commands.outcome import PendingReply
from ringway.node.commands.permission import check_allowed
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import EMPTY, encode
from ringway.protocol.command import PublishRequest, RawPublication, Reply
from ringway.protocol.errorcode import BAD_REQUEST, INTERNAL, NOT_AVAILABLE, TOO_MANY_REQUESTS, command_error

KEY_BYTES_MAX = 128
"""The longest idempotency key."""


def publish(context: CommandContext, connection: Connection, command_id: int, request: PublishRequest) -> PendingReply:
    """Check one publish command, and return its pending reply: it always needs the engine."""
    return PendingReply(partial(publish_now, context, connection, command_id, request))


async def publish_now(
    context: CommandContext, connection: Connection, command_id: int, request: PublishRequest
) -> bytes:
    """Carry out one publish command; return its reply when the engine has accepted the publication.

    Publications of one connection are begun in the order of its commands: the first await is that of the engine.
    """
    key = request.idempotency_key
    try:
        channel = check_channel(request.channel, context.config.channel_bytes_max)
        check_allowed(context, connection, channel, Action.PUBLISH)
        if not bytes(request.data):
            raise command_error(BAD_REQUEST, "data is missing; it may be any JSON")
        check_key(key, kept=context.channels.namespaces.of(channel).retention is not None)
        if not connection.may_publish(channel):
            limit = context.config.new_channels_per_s
            raise command_error(TOO_MANY_REQUESTS, f"a client may publish to {limit:g} channels a second that are new")
        body = encode(RawPublication(data=request.data, info=connection.info_in(channel)))
        async with asyncio.timeout(context.config.engine_deadline_s):
            await context.channels.publish(channel, body, key)
    except CommandError as error:
        return error_reply(context, command_id, error)
    except (EngineError, TimeoutError) as error:
        return error_reply(context, command_id, publication_failed(error, key))
    context.stats.published += 1
    return encode(Reply(id=command_id, publish=EMPTY))


def publication_failed(error: EngineError | TimeoutError, key: str) -> CommandError:
    """Return the error of a publication with the idempotency key `key` for which the engine failed."""
    if isinstance(error, Unconfirmed | TimeoutError):  # a retry could double the publication, unless it has a key
        return CommandError(INTERNAL, "the engine did not confirm; it may be published", temporary=bool(key))
    return engine_failed(error)


def check_key(key: str, *, kept: bool) -> None:
    """Raise `CommandError` if a publication cannot have the idempotency key `key`; `kept`: it is stored in history."""
    if not key:
        return
    if not kept:
        raise command_error(NOT_AVAILABLE, "an idempotency key needs history, and this channel keeps none")
    size = len(key.encode(errors="replace"))
    if size > KEY_BYTES_MAX or not key.isprintable() or not key.isascii():
        raise command_error(
            BAD_REQUEST, f"an idempotency key of {size} bytes; give 1 to {KEY_BYTES_MAX} printable characters of ASCII"
        )
