"""Refresh and sub_refresh commands: a new token before the old one ends (PROTOCOL.md P-4.22)."""

import msgspec

from ringway.node.commands.by_token import by_token
from ringway.node.commands.context import CommandContext
from ringway.node.commands.outcome import PendingReply
from ringway.node.commands.tokens import refreshed, rights_of
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims
from ringway.protocol.codec import encode
from ringway.protocol.command import RefreshRequest, RefreshResult, Reply, SubRefreshRequest, SubRefreshResult
from ringway.protocol.errorcode import BAD_REQUEST, NOT_AVAILABLE, PERMISSION_DENIED, command_error
from ringway.types import Channel


def refresh(
    context: CommandContext, connection: Connection, command_id: int, request: RefreshRequest
) -> bytes | PendingReply:
    """Let the connection go on by a new token. Raise `CommandError` 110 if its time is over, `ProtocolError` 3500."""
    _check_usable(context, request.token, None)
    return by_token(
        context,
        command_id,
        context.tokens.check_refresh,
        request.token,
        lambda claims: _refresh(context, connection, command_id, claims),
        lambda: connection.is_connected,
    )


def sub_refresh(
    context: CommandContext, connection: Connection, command_id: int, request: SubRefreshRequest
) -> bytes | PendingReply:
    """Let a subscription go on by a new token. Raise `CommandError` 103 if there is none, and else as `refresh`."""
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    _check_usable(context, request.token, channel)
    return by_token(
        context,
        command_id,
        context.tokens.check_sub_refresh,
        request.token,
        lambda claims: _sub_refresh(context, connection, command_id, channel, claims),
        lambda: connection.is_connected,
    )


def _check_usable(context: CommandContext, token: str, channel: Channel | None) -> None:
    if context.expiry.is_by_hook(channel):
        raise command_error(NOT_AVAILABLE, "a hook is asked in place of a new token; send none")
    if not context.tokens.has_key:
        raise command_error(NOT_AVAILABLE, "this node has no key to check tokens")
    if not token:
        raise command_error(BAD_REQUEST, "the token is missing; send a new one")


def _refresh(context: CommandContext, connection: Connection, command_id: int, claims: ConnectionClaims) -> bytes:
    connection.credentials = refreshed(connection.credentials, claims, expires=not context.config.insecure)
    context.expiry.watch(connection)
    result = RefreshResult(client=connection.client, version=context.version)
    result.expires, result.ttl = context.expiry.left(connection.credentials.expires_at)
    return encode(Reply(id=command_id, refresh=result))


def _sub_refresh(
    context: CommandContext, connection: Connection, command_id: int, channel: Channel, claims: SubscriptionClaims
) -> bytes:
    if channel not in connection.channels:
        raise command_error(PERMISSION_DENIED, f"there is no subscription to {channel}")
    now, expires = context.tokens.wall(), not context.config.insecure
    rights = rights_of(claims, connection.credentials, connection.client, channel, now, expires=expires)
    before = connection.rights.get(channel)
    if before is not None and before.is_server_side:
        rights = msgspec.structs.replace(rights, is_server_side=True)
    connection.set_rights(channel, rights)
    context.expiry.watch(connection)
    result = SubRefreshResult()
    result.expires, result.ttl = context.expiry.left(rights.expires_at)
    return encode(Reply(id=command_id, sub_refresh=result))
