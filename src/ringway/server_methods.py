"""Methods by which programs call the server (PROTOCOL.md P-13): typed, whatever carries the calls.

Over HTTP it is `ringway.Server`; in the process of a node, what a function that answers calls has (`RpcCall.server`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec

from ringway.errors import CommandError
from ringway.protocol.close import FORCE_DISCONNECT
from ringway.protocol.command import (
    ClientInfo,
    HistoryRequest,
    HistorySince,
    PresenceRequest,
    PresenceResult,
    PresenceStatsResult,
    Raw,
    RawPublication,
)
from ringway.protocol.errorcode import CODES, INTERNAL
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiConnectionsRequest,
    ApiDisconnectRequest,
    ApiHistoryRemoveRequest,
    ApiHistoryResult,
    ApiInvalidateUserTokensRequest,
    ApiPublishRequest,
    ApiPublishResult,
    ApiRefreshRequest,
    ApiRevokeTokenRequest,
    ApiSubscribeRequest,
    ApiUnsubscribeRequest,
    BatchRequest,
    CallError,
    ChannelsRequest,
    ChannelsResult,
    ConnectionsResult,
    ConnectionSummary,
    DisconnectReason,
    InfoRequest,
    InfoResult,
    NodeSummary,
)


class StreamPosition(NamedTuple):
    """A position in a channel's history. Offsets of different epochs cannot be compared."""

    epoch: str
    offset: int


class PresenceStats(NamedTuple):
    """The number of connections that are subscribed to a channel, and of their users."""

    clients: int
    users: int


@dataclass(frozen=True, slots=True)
class StoredPublication:
    """A publication that a channel keeps. `info` is its publisher; None if a backend has published it."""

    offset: int
    raw: bytes
    info: ClientInfo | None
    tags: Mapping[str, str]

    @property
    def data(self) -> Any:
        """What was published, decoded."""
        return msgspec.json.decode(self.raw)


@dataclass(frozen=True, slots=True)
class ChannelHistory:
    """Publications that a channel keeps, in the requested order; `position` is that of the channel."""

    publications: tuple[StoredPublication, ...]
    position: StreamPosition


R = TypeVar("R")

_encode = msgspec.json.Encoder().encode


class ServerMethods(ABC):
    """The calls of the server API. One call reaches the whole cluster.

    Data may be anything that has a JSON form. All methods raise `CommandError` if the server refuses, with its code
    (docs/howto/server-api.md), `TypeError` if data has no JSON form, and what the subclass says.
    """

    @abstractmethod
    async def call(self, method: str, body: bytes, *, may_repeat: bool) -> bytes:
        """Return the answer to a request, both as JSON. `may_repeat`: to carry it out twice does no harm."""
        ...

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        tags: Mapping[str, str] | None = None,
        skip_history: bool = False,
        idempotency_key: str = "",
    ) -> StreamPosition:
        """Publish `data`; return its position in the history when the engine has accepted it, ("", 0) without history.

        With an `idempotency_key`, which needs history, the channel accepts it once in two minutes.
        """
        request = ApiPublishRequest(
            channel=channel, data=_raw(data), tags=_tags(tags), skip_history=skip_history,
            idempotency_key=idempotency_key,
        )  # fmt: skip
        found = await self._ask("publish", request, ApiPublishResult, may_repeat=bool(idempotency_key))
        return StreamPosition(found.epoch, found.offset)

    async def broadcast(
        self,
        channels: Iterable[str],
        data: Any,
        *,
        tags: Mapping[str, str] | None = None,
        skip_history: bool = False,
        idempotency_key: str = "",
    ) -> list[StreamPosition | CommandError]:
        """Publish `data` to each of `channels`; return the position or the refusal of each, in their order."""
        request = ApiBroadcastRequest(
            channels=list(channels), data=_raw(data), tags=_tags(tags), skip_history=skip_history,
            idempotency_key=idempotency_key,
        )  # fmt: skip
        found = await self._ask("broadcast", request, ApiBroadcastResult, may_repeat=bool(idempotency_key))
        return [
            refusal_of(reply.error) if reply.error is not None else _position(reply.result) for reply in found.responses
        ]

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Return the subscribers of `channel` on all nodes, by the id of the connection."""
        return (await self._ask("presence", PresenceRequest(channel), PresenceResult)).presence

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Return the number of subscribers of `channel` on all nodes."""
        found = await self._ask("presence_stats", PresenceRequest(channel), PresenceStatsResult)
        return PresenceStats(found.num_clients, found.num_users)

    async def history(
        self, channel: str, *, limit: int = 100, since: StreamPosition | None = None, reverse: bool = False
    ) -> ChannelHistory:
        """Return up to `limit` publications: the oldest, or those after `since`; with `reverse` from the newest on."""
        place = HistorySince(offset=since.offset, epoch=since.epoch) if since is not None else None
        request = HistoryRequest(channel, limit, place, reverse)
        found = await self._ask("history", request, ApiHistoryResult)
        publications = tuple(_stored(_publication(raw)) for raw in found.publications)
        return ChannelHistory(publications, StreamPosition(found.epoch, found.offset))

    async def history_remove(self, channel: str) -> None:
        """Remove the publications that `channel` keeps. Subscribers are not told; who returns learns of a gap."""
        await self._ask("history_remove", ApiHistoryRemoveRequest(channel), Any)

    async def channels(self, pattern: str = "") -> dict[str, int]:
        """Return the channels with subscribers, those that match the glob `pattern`, and how many each has."""
        found = await self._ask("channels", ChannelsRequest(pattern), ChannelsResult)
        return {name: summary.num_clients for name, summary in found.channels.items()}

    async def info(self) -> list[NodeSummary]:
        """Return what the nodes are doing."""
        return (await self._ask("info", InfoRequest(), InfoResult)).nodes

    async def connections(self, user: str = "") -> dict[str, ConnectionSummary]:
        """Return the connections of `user`, of everybody without one, by their ids."""
        return (await self._ask("connections", ApiConnectionsRequest(user), ConnectionsResult)).connections

    async def disconnect(
        self,
        user: str = "",
        *,
        client: str = "",
        session: str = "",
        whitelist: Sequence[str] = (),
        code: int = FORCE_DISCONNECT,
        reason: str = "force disconnect",
    ) -> None:
        """Close the connections of `user`, or one of them, but not the clients in `whitelist`."""
        request = ApiDisconnectRequest(
            user=user, client=client, session=session, whitelist=list(whitelist),
            disconnect=DisconnectReason(code, reason),
        )  # fmt: skip
        await self._ask("disconnect", request, Any)

    async def unsubscribe(self, user: str = "", channel: str = "", *, client: str = "", session: str = "") -> None:
        """End the subscriptions of `user` to `channel`; to all channels without one."""
        request = ApiUnsubscribeRequest(user=user, client=client, session=session, channel=channel)
        await self._ask("unsubscribe", request, Any)

    async def subscribe(
        self,
        user: str,
        channel: str,
        *,
        client: str = "",
        session: str = "",
        info: Any = None,
        data: Any = None,
        expire_at: int = 0,
    ) -> None:
        """Subscribe the connections of `user` to `channel`: `info` is told to others, `data` to the client.

        `expire_at` is the end in Unix seconds; 0: none.
        """
        request = ApiSubscribeRequest(
            user=user, client=client, session=session, channel=channel, info=_raw_or_none(info),
            data=_raw_or_none(data), expire_at=expire_at,
        )  # fmt: skip
        await self._ask("subscribe", request, Any)

    async def refresh(
        self,
        user: str = "",
        *,
        client: str = "",
        session: str = "",
        expired: bool = False,
        expire_at: int = 0,
        info: Any = None,
    ) -> None:
        """Set the end of the connections of `user` to `expire_at` (Unix seconds; 0: never), or close them if `expired`.

        `info` is what others are told of the user from now on; None: as before.
        """
        request = ApiRefreshRequest(
            user=user, client=client, session=session, expired=expired, expire_at=expire_at, info=_raw_or_none(info)
        )
        await self._ask("refresh", request, Any)

    async def revoke_token(self, uid: str, *, expire_at: int = 0) -> None:
        """Refuse the token with the id (`jti`) `uid` from now on. `expire_at` is its end in Unix seconds, if known."""
        await self._ask("revoke_token", ApiRevokeTokenRequest(uid, expire_at), Any)

    async def invalidate_user_tokens(
        self, user: str, *, issued_before: int = 0, channel: str = "", expire_at: int = 0
    ) -> None:
        """Refuse the tokens of `user` that were issued before a time, in Unix seconds; 0: now."""
        request = ApiInvalidateUserTokensRequest(user, issued_before, channel, expire_at)
        await self._ask("invalidate_user_tokens", request, Any)

    async def batch(
        self, commands: Iterable[tuple[str, Mapping[str, Any]]], *, parallel: bool = False
    ) -> list[Any | CommandError]:
        """Carry out commands, each a method and its request by the names of the HTTP API; in order, or `parallel`.

        Return the result of each, decoded, or its refusal.
        """
        asked = [{method: _raw(request)} for method, request in commands]
        answer = await self.call("batch", _encode(BatchRequest(asked, parallel)), may_repeat=False)
        found = _decoded(answer, _BatchAnswer)
        if found.error is not None:
            raise refusal_of(found.error)
        replies: list[Any | CommandError] = []
        for raw in found.replies:
            for name, value in _decoded(bytes(raw), dict[str, Any]).items():
                replies.append(refusal_of(CallError(**value)) if name == "error" else value)
        return replies

    async def _ask(self, method: str, request: Any, kind: type[R], *, may_repeat: bool = True) -> R:
        return result_in(await self.call(method, _request_body(request), may_repeat=may_repeat), kind)


class _Answer(msgspec.Struct):
    error: CallError | None = None
    result: Raw = Raw()


class _BatchAnswer(msgspec.Struct):
    error: CallError | None = None
    replies: list[Raw] = []


def result_in(answer: bytes, kind: type[R]) -> R:
    """Return the result in an answer to one call, as `kind`; raise `CommandError` for a refusal or a strange answer."""
    found = _decoded(answer, _Answer)
    if found.error is not None:
        raise refusal_of(found.error)
    return _decoded(bytes(found.result) or b"{}", kind)


def refusal_of(error: CallError) -> CommandError:
    """Return a refusal of the API as an error. 100 leaves open whether the call has had its effect."""
    _, temporary = CODES.get(error.code, ("", False))
    return CommandError(error.code, error.message, temporary=temporary and error.code != INTERNAL)


def _decoded(raw: bytes, kind: type[R]) -> R:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError) as error:
        raise CommandError(INTERNAL, f"the answer of the server API cannot be read: {error}") from None


def _publication(raw: Raw) -> RawPublication:
    return _decoded(bytes(raw), RawPublication)


def _stored(publication: RawPublication) -> StoredPublication:
    return StoredPublication(
        publication.offset, bytes(publication.data), publication.info, dict(publication.tags or {})
    )


def _position(result: ApiPublishResult | None) -> StreamPosition:
    return StreamPosition(result.epoch, result.offset) if result is not None else StreamPosition("", 0)


def _request_body(request: Any) -> bytes:
    """Return the JSON of a request without the fields that are empty: they are those that were not given."""
    given = {name: value for name in request.__struct_fields__ if (value := getattr(request, name))}
    return _encode({name: value for name, value in given.items() if not isinstance(value, Raw) or bytes(value)})


def _raw(data: Any) -> Raw:
    return Raw(_encode(data))


def _raw_or_none(data: Any) -> Raw:
    return Raw() if data is None else _raw(data)


def _tags(tags: Mapping[str, str] | None) -> dict[str, str] | None:
    return dict(tags) if tags else None
