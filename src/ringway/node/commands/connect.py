"""Connect command: who the client is, and the subscriptions that the server makes for it (PROTOCOL.md P-4.4, P-4.21).

The reply and the entries in the hub belong to one loop turn, as those of a subscribe: the reply has the position in
each channel, and all later publications follow it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.permission import personal_channel
from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import ProtocolError
from ringway.hooks.hook import Hook
from ringway.node.commands.admission import check_count, check_has_user, check_nameless, claimed_rights
from ringway.node.commands.by_hook import by_hook
from ringway.node.commands.by_token import by_token
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import or_error_reply
from ringway.node.commands.hook_results import credentials_from, rights_from
from ringway.node.commands.outcome import Gone, Outcome, PendingReply
from ringway.node.commands.permission import check_known
from ringway.node.commands.server_side import join_server_side, obtain_server_side
from ringway.node.commands.single_connections import REASON
from ringway.node.commands.tokens import credentials_of
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import ConnectionClaims
from ringway.protocol.close import (
    CONNECTION_LIMIT,
    FORCE_DISCONNECT,
    SERVICE_RESTART,
)
from ringway.protocol.codec import encode
from ringway.protocol.command import (
    ABSENT,
    ConnectRequest,
    ConnectResult,
    Reply,
    SubscribeResult,
    raw_or_absent,
)
from ringway.protocol.hook import CONNECT, SPEECH, ConnectHookRequest, ConnectHookResult, HookSubscription
from ringway.protocol.user_order import DisconnectOrder
from ringway.types import Channel

Rights = Mapping[Channel, SubscriptionRights]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A client that is accepted if there is room: who it is, the subscriptions that the server makes, and their data.

    `client` is its id; empty: it gets one. `data` is JSON for the client itself, `first` the same by channel.
    """

    credentials: Credentials
    subs: Rights = field(default_factory=dict)
    client: str = ""
    data: bytes = b""
    first: Mapping[Channel, bytes] = field(default_factory=dict)
    since: int | None = None  # the number of the newest order when it was asked for; None: it has not waited


_ANONYMOUS = Newcomer(ANONYMOUS)


def connect(context: CommandContext, connection: Connection, command_id: int, request: ConnectRequest) -> Outcome:
    """Accept a client, now or when the engine, a key or a hook has answered.

    Raise `ProtocolError`, or `CommandError`.
    """
    if not request.token or (context.config.insecure and not context.tokens.has_key):
        hook = context.hooks.named(context.config.connect_hook)
        if hook is not None:
            return _ask_hook(context, connection, command_id, request, hook)
        return _admit_unnamed(context, connection, command_id, request)
    return by_token(
        context,
        command_id,
        context.tokens.check_connection,
        request.token,
        lambda claims: _admit_bearer(context, connection, command_id, request, claims),
        lambda: connection.is_usable,
    )


def _admit_unnamed(
    context: CommandContext, connection: Connection, command_id: int, request: ConnectRequest
) -> bytes | PendingReply:
    """Accept a client of whom nobody has said who it is."""
    check_nameless(context.config)
    return _admit(context, connection, command_id, request, _ANONYMOUS)


def _admit_bearer(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    request: ConnectRequest,
    claims: ConnectionClaims,
) -> bytes | PendingReply:
    config = context.config
    check_has_user(config, claims)
    credentials = credentials_of(claims, context.tokens.wall(), expires=not config.insecure)
    subs = claimed_rights(config, context.channels.namespaces, claims)
    return _admit(context, connection, command_id, request, Newcomer(credentials, subs))


def _ask_hook(
    context: CommandContext, connection: Connection, command_id: int, request: ConnectRequest, hook: Hook
) -> PendingReply:
    client = _new_client_id(context)
    asked_at, since = context.tokens.wall(), context.orders.number
    asked = ConnectHookRequest(
        client=client,
        **SPEECH,
        data=request.data if bytes(request.data) else ABSENT,
        name=request.name,
        version=request.version,
        channels=list(request.subs or ()),
    )

    def finish(result: ConnectHookResult | None) -> bytes | PendingReply:
        if result is None:
            return _admit_unnamed(context, connection, command_id, request)
        return _admit(
            context, connection, command_id, request, _newcomer_by_hook(context, result, client, asked_at, since)
        )

    return by_hook(context, connection, command_id, hook, CONNECT, asked, finish, lambda: connection.is_usable)


def _newcomer_by_hook(
    context: CommandContext, result: ConnectHookResult, client: str, asked_at: float, since: int
) -> Newcomer:
    """Return the client as the hook names it; it counts as connected when the hook was asked."""
    config, now = context.config, context.tokens.wall()
    credentials = msgspec.structs.replace(credentials_from(result, now), connected_at=asked_at)
    given: dict[str, HookSubscription] = dict.fromkeys(result.channels or (), HookSubscription())
    given |= result.subs or {}
    if config.subscribe_to_user_personal_channel and credentials.user:
        given.setdefault(personal_channel(config.personal_channel_namespace, credentials.user), HookSubscription())
    subs: dict[Channel, SubscriptionRights] = {}
    first: dict[Channel, bytes] = {}
    for name, each in given.items():
        channel = check_channel(name, config.channel_bytes_max)
        check_known(context, channel)
        subs[channel] = rights_from(each, now, is_server_side=True)
        if each.first_data:
            first[channel] = each.first_data
    return Newcomer(credentials, subs, client, result.first_data, first, since)


def _new_client_id(context: CommandContext) -> str:
    return context.rng.randbytes(16).hex()


def _admit(
    context: CommandContext, connection: Connection, command_id: int, request: ConnectRequest, newcomer: Newcomer
) -> bytes | PendingReply:
    _check_users_share(context, newcomer.credentials)
    if not newcomer.subs:
        _connected(context, connection, newcomer)
        return _reply(context, connection, command_id, newcomer, {})
    check_count(context.config, len(newcomer.subs))
    if newcomer.since is None:
        newcomer = replace(newcomer, since=context.orders.number)
    return PendingReply(partial(_accept_subscribed, context, connection, command_id, request, newcomer))


async def _accept_subscribed(
    context: CommandContext, connection: Connection, command_id: int, request: ConnectRequest, newcomer: Newcomer
) -> bytes | Gone:
    async def answer() -> bytes | Gone:
        subs = newcomer.subs
        asked = {channel: each for channel in subs if (each := (request.subs or {}).get(channel)) is not None}
        async with obtain_server_side(context, connection, subs, asked) as missed:
            if not connection.is_usable:
                return Gone.GONE
            _check_users_share(context, newcomer.credentials)  # others may have come meanwhile
            _connected(context, connection, newcomer)
            results = join_server_side(context, connection, subs, asked, missed)
            for channel, data in newcomer.first.items():
                results[channel].data = raw_or_absent(data)
            return _reply(context, connection, command_id, newcomer, results)

    return await or_error_reply(context, command_id, answer())


def _connected(context: CommandContext, connection: Connection, newcomer: Newcomer) -> None:
    config, credentials = context.config, newcomer.credentials
    context.tokens.check_good(credentials)  # it may have been revoked meanwhile
    _check_not_cut_off(context, newcomer)
    single = config.subscribe_to_user_personal_channel and config.personal_channel_single_connection
    if single:
        for other in context.registry.of_user(credentials.user):
            other.close(FORCE_DISCONNECT, REASON)
    connection.accept(newcomer.client or _new_client_id(context), credentials)
    if single:
        context.single.tell(connection)
    if credentials != ANONYMOUS:
        context.expiry.watch(connection)


def _check_not_cut_off(context: CommandContext, newcomer: Newcomer) -> None:
    """Raise `ProtocolError` if the user was disconnected while the client waited for the hook or the engine."""
    since = newcomer.since
    if since is None or since == context.orders.number:
        return
    for order in context.orders.due(newcomer.credentials.user, newcomer.client, since, 0.0):
        if isinstance(order, DisconnectOrder):
            raise ProtocolError(order.code, order.reason)
    if not context.orders.remembers_since(since):
        raise ProtocolError(SERVICE_RESTART, "")


def _reply(
    context: CommandContext,
    connection: Connection,
    command_id: int,
    newcomer: Newcomer,
    subs: Mapping[Channel, SubscribeResult],
) -> bytes:
    result = ConnectResult(
        client=connection.client,
        version=context.version,
        ping=context.config.ping_interval_s,
        pong=True,
        session=connection.client,
        node=context.name,
        subs={str(channel): each for channel, each in subs.items()},
        data=raw_or_absent(newcomer.data),
    )
    result.expires, result.ttl = context.expiry.told(None, connection.credentials.expires_at)
    return encode(Reply(id=command_id, connect=result))


def _check_users_share(context: CommandContext, credentials: Credentials) -> None:
    most = context.config.user_connections_max
    if most and context.registry.count_of_user(credentials.user) >= most:
        raise ProtocolError(CONNECTION_LIMIT, f"the user has {most} connections at this node, and may have no more")
