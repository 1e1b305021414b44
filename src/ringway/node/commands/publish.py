"""Publish command: through the channel's history, or directly to the subscribers without one (PROTOCOL.md P-4.7).

If a hook decides, it may replace what is published; then the reply confirms that, and not what the client has sent
(P-14.8).
"""

import asyncio
from functools import partial

from ringway.core.permission import Action
from ringway.errors import CommandError, EngineError
from ringway.hooks.hook import Hook, HookFailed
from ringway.node.commands.by_hook import failed
from ringway.node.commands.channel_hooks import publish_hook
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import error_reply
from ringway.node.commands.hook_requests import answer_of, meta_for, result_of
from ringway.node.commands.hook_results import check_bounds
from ringway.node.commands.outcome import PendingReply
from ringway.node.commands.permission import check_allowed, check_name
from ringway.node.commands.publication import check_key, publication_failed
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import EMPTY, encode
from ringway.protocol.command import PublishRequest, RawPublication, Reply, raw_or_absent
from ringway.protocol.errorcode import BAD_REQUEST, TOO_MANY_REQUESTS, command_error
from ringway.protocol.hook import PUBLISH, SPEECH, PublishHookRequest, PublishHookResult
from ringway.types import Channel


def publish(context: CommandContext, connection: Connection, command_id: int, request: PublishRequest) -> PendingReply:
    """Check one publish command, and return its pending reply: it always needs the engine."""
    return PendingReply(partial(publish_now, context, connection, command_id, request))


def is_by_hook(context: CommandContext, request: PublishRequest) -> bool:
    """True if a hook decides: then the publication begins when it has answered, and later ones wait, to keep order."""
    return bool(context.channels.namespaces.of(Channel(request.channel)).publish_hook)


async def publish_now(
    context: CommandContext, connection: Connection, command_id: int, request: PublishRequest
) -> bytes:
    """Carry out one publish command; return its reply when the engine has accepted the publication.

    Publications of one connection are begun in the order of its commands: the first await is that of the engine, unless
    a hook decides (`is_by_hook`). Raise `ProtocolError` if a hook has the client closed.
    """
    key = request.idempotency_key
    try:
        channel = check_channel(request.channel, context.config.channel_bytes_max)
        space = context.channels.namespaces.of(channel)
        hook = publish_hook(context, channel) if space.publish_hook else None
        if hook is None:
            check_allowed(context, connection, channel, Action.PUBLISH)
        else:
            check_name(context, channel)
        if not bytes(request.data):
            raise command_error(BAD_REQUEST, "data is missing; it may be any JSON")
        kept = space.retention is not None
        check_key(key, kept=kept)
        if not connection.may_publish(channel):
            limit = context.config.new_channels_per_s
            raise command_error(TOO_MANY_REQUESTS, f"a client may publish to {limit:g} channels a second that are new")
        if hook is None:
            publication = RawPublication(data=request.data, info=connection.info_in(channel))
        else:
            result = await _allowed_by(context, connection, channel, request, hook)
            key = result.idempotency_key or key
            kept = kept and not result.skip_history
            check_key(key, kept=kept)
            data = raw_or_absent(result.new_data) if result.new_data else request.data
            publication = RawPublication(data=data, info=connection.info_in(channel), tags=result.tags or None)
        body = encode(publication)
        async with asyncio.timeout(context.config.engine_deadline_s):
            await context.channels.publish(channel, body, key, is_kept=kept)
    except CommandError as error:
        return error_reply(context, command_id, error)
    except (EngineError, TimeoutError) as error:
        return error_reply(context, command_id, publication_failed(error, key))
    context.stats.published += 1
    return encode(Reply(id=command_id, publish=EMPTY))


async def _allowed_by(
    context: CommandContext, connection: Connection, channel: Channel, request: PublishRequest, hook: Hook
) -> PublishHookResult:
    """Return what `hook` says of a publication, also if its client goes meanwhile (PROTOCOL.md P-4.18)."""
    credentials = connection.credentials
    asked = PublishHookRequest(
        client=connection.client,
        **SPEECH,
        user=credentials.user,
        channel=channel,
        data=request.data,
        meta=meta_for(hook, credentials),
    )
    try:
        answer = await answer_of(connection, hook, PUBLISH, asked, lambda: True)
    except HookFailed as error:
        raise failed(error) from None
    result = result_of(answer) or PublishHookResult()
    most = context.config.outbox_bytes_max
    size = len(result.new_data)
    check_bounds(f"data has {size} bytes, and a client may have {most} waiting" if size > most else "")
    return result
