"""Calls of backends that concern the clients of a user: at all nodes, and also while a client is being moved."""

import math
from collections.abc import Callable

import msgspec

from ringway.core.credentials import INFO_BYTES_MAX, USER_BYTES_MAX
from ringway.node.commands.context import CommandContext
from ringway.node.server_api.channel_check import check_named
from ringway.node.server_api.cluster import ClusterCalls
from ringway.protocol.close import FORCE_DISCONNECT, REASON_BYTES_MAX
from ringway.protocol.command import Empty, Raw
from ringway.protocol.errorcode import BAD_REQUEST, LIMIT_EXCEEDED, NOT_AVAILABLE, command_error
from ringway.protocol.json_base64 import read_json_base64
from ringway.protocol.json_line import json_line
from ringway.protocol.server_api import (
    ApiConnectionsRequest,
    ApiConnectionState,
    ApiDisconnectRequest,
    ApiRefreshRequest,
    ApiSubscribeRequest,
    ApiUnsubscribeRequest,
    ConnectionsResult,
    ConnectionSummary,
    ConnectionToken,
    OfUser,
)
from ringway.protocol.user_order import (
    USERS,
    AskConnections,
    DisconnectOrder,
    FoundConnection,
    NodeConnections,
    RefreshOrder,
    SubscribeOrder,
    UnsubscribeOrder,
    UserAnswer,
    UserRequest,
    decode_answer,
    encode,
)

CONNECTIONS_MAX = 1000
"""The most connections that are named."""

WHITELIST_MAX = 1000
"""The most clients that a disconnect may spare."""

_DONE = Empty()


class UserCalls:
    """Gives orders to all nodes. `wall` is Unix time. All methods raise `CommandError` or `EngineError`."""

    def __init__(self, cluster: ClusterCalls, context: CommandContext, wall: Callable[[], float]) -> None:
        self._cluster = cluster
        self._context = context
        self._wall = wall

    async def disconnect(self, request: ApiDisconnectRequest) -> Empty:
        """Close the connections of a user; return when the nodes have done so."""
        _check_user(request)
        said = request.disconnect
        code, reason = (said.code, said.reason) if said is not None else (FORCE_DISCONNECT, "force disconnect")
        if not 3000 <= code <= 4999:
            raise command_error(BAD_REQUEST, f"the code is {code}; give 3000 to 4999 (from 3500, and from 4500, final)")
        if len(reason.encode(errors="replace")) > REASON_BYTES_MAX:
            raise command_error(BAD_REQUEST, f"the reason is longer than {REASON_BYTES_MAX} bytes; make it shorter")
        if len(request.whitelist) > WHITELIST_MAX:
            raise command_error(LIMIT_EXCEEDED, f"{len(request.whitelist)} clients to spare; at most {WHITELIST_MAX}")
        return await self._order(
            DisconnectOrder(
                user=request.user, client=request.client, session=request.session, code=code, reason=reason,
                at=self._wall(), spared=tuple(request.whitelist),
            )
        )  # fmt: skip

    async def unsubscribe(self, request: ApiUnsubscribeRequest) -> Empty:
        """End the subscriptions of a user to a channel, or to all channels."""
        _check_user(request)
        if request.channel:
            self._check(request.channel)
        return await self._order(
            UnsubscribeOrder(
                user=request.user, client=request.client, session=request.session, channel=request.channel
            )
        )  # fmt: skip

    async def subscribe(self, request: ApiSubscribeRequest) -> Empty:
        """Subscribe the connections of a user to a channel, on behalf of the server."""
        _check_user(request)
        self._check(request.channel)
        if request.recover_since is not None:
            raise command_error(NOT_AVAILABLE, "`recover_since` is not served; send what was missed as `data`")
        if request.override:
            raise command_error(NOT_AVAILABLE, "`override` is not served; the namespace decides")
        return await self._order(
            SubscribeOrder(
                user=request.user, client=request.client, session=request.session, channel=request.channel,
                info=_json(request.info, request.b64info, "info"), data=_json(request.data, request.b64data, "data"),
                expires_at=float(request.expire_at),
            )
        )  # fmt: skip

    async def refresh(self, request: ApiRefreshRequest) -> Empty:
        """Set the end of a user's connections, or close them as expired."""
        _check_user(request)
        given = bytes(request.info)
        return await self._order(
            RefreshOrder(
                user=request.user, client=request.client, session=request.session, expired=request.expired,
                expires_at=float(request.expire_at), info=_json(request.info, "", "info") if given else None,
            )
        )  # fmt: skip

    async def connections(self, request: ApiConnectionsRequest) -> ConnectionsResult:
        """Return the connections of a user; of everybody without one."""
        if request.expression:
            raise command_error(NOT_AVAILABLE, "`expression` is not served; give a `user`")
        question = AskConnections(user=request.user, connections_max=CONNECTIONS_MAX)
        found: dict[str, ConnectionSummary] = {}
        for answer in await self._ask(question):
            if not isinstance(answer, NodeConnections):
                continue
            found |= {client: _summary(each) for client, each in answer.connections.items()}
            if answer.is_cut or len(found) > CONNECTIONS_MAX:
                raise command_error(
                    LIMIT_EXCEEDED, f"there are more than {len(found)} connections; give a `user`, or ask for `info`"
                )
        return ConnectionsResult(found)

    async def _order(self, order: UserRequest) -> Empty:
        await self._ask(order)
        return _DONE

    async def _ask(self, request: UserRequest) -> list[UserAnswer]:
        return await self._cluster.ask_all(USERS, encode(request), decode_answer)

    def _check(self, name: str) -> None:
        check_named(self._context, name)


def _check_user(request: OfUser) -> None:
    if not (request.user or request.client or request.session):
        raise command_error(BAD_REQUEST, "user is missing; name a user, or the client of somebody anonymous")
    if len(request.user.encode(errors="replace")) > USER_BYTES_MAX:
        raise command_error(BAD_REQUEST, f"user is longer than {USER_BYTES_MAX} bytes, as no user is")


def _json(value: Raw, base64: str, name: str) -> str:
    """Return the JSON `value`, or the JSON in `base64`, on one line; '' if there is none."""
    given = bytes(value)
    if base64:
        try:
            given = read_json_base64(base64)
        except ValueError as error:
            raise command_error(BAD_REQUEST, f"b64{name} {error}") from None
    line = json_line(given) if given else b""
    if given and not line and given != b"null":
        raise command_error(BAD_REQUEST, f"{name} is not JSON in UTF-8; encode it so")
    if len(line) > INFO_BYTES_MAX:
        raise command_error(LIMIT_EXCEEDED, f"{name} has {len(line)} bytes; at most {INFO_BYTES_MAX} are allowed")
    return line.decode()


def _summary(found: FoundConnection) -> ConnectionSummary:
    token = ConnectionToken(found.token_id, math.floor(found.issued_at)) if found.issued_at or found.token_id else None
    channels: dict[str, Empty] = dict.fromkeys(found.channels, _DONE)
    return ConnectionSummary(
        user=found.user,
        state=ApiConnectionState(channels, token, Raw(found.meta.encode()) if found.meta else msgspec.UNSET),
    )
