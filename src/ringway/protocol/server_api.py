"""Server API: the requests of backends and their results, with the names of Centrifugo's HTTP API (PROTOCOL.md P-13).

`data` is raw JSON, which is sent to subscribers as it came. Fields that Ringway does not know are skipped.
"""

from typing import Any

import msgspec

from ringway.protocol.command import Empty, HistorySince, Raw

PATH = "/api"
"""Each method is at `PATH/METHOD`."""

KEY_HEADER = "x-api-key"
"""The header with the key of the API."""


class CallError(msgspec.Struct, frozen=True):
    """The refusal of one call, by a code of P-4.9."""

    code: int
    message: str


class PublicationContent(msgspec.Struct, kw_only=True):
    """The content of a publication of a backend, and how it is published."""

    data: Raw = msgspec.field(default_factory=Raw)
    b64data: str = ""  # in place of `data`: JSON in base64
    skip_history: bool = False
    tags: dict[str, str] | None = None  # sent to subscribers with the data
    idempotency_key: str = ""
    delta: bool = False  # a hint that changes nothing: deltas are not sent
    version: int = 0
    version_epoch: str = ""


class ApiPublishRequest(PublicationContent, kw_only=True):
    """Send `data` to all subscribers of a channel."""

    channel: str = ""


class ApiBroadcastRequest(PublicationContent, kw_only=True):
    """Send `data` to all subscribers of each of the channels."""

    channels: list[str] = []


class ApiPublishResult(msgspec.Struct, omit_defaults=True):
    """The position of a publication in the channel's history; empty without history."""

    offset: int = 0
    epoch: str = ""


class ApiPublishReply(msgspec.Struct, omit_defaults=True):
    """The outcome of one publication of a broadcast."""

    error: CallError | None = None
    result: ApiPublishResult | None = None


class ApiBroadcastResult(msgspec.Struct):
    """The outcomes, in the order of the channels."""

    responses: list[ApiPublishReply]


class ApiHistoryResult(msgspec.Struct):
    """Publications of a channel, as objects with `offset`, `data`, `info` and `tags`; and the present position."""

    publications: list[Raw]
    offset: int
    epoch: str


class ApiHistoryRemoveRequest(msgspec.Struct):
    """Remove the publications that `channel` keeps. Subscribers are not told."""

    channel: str = ""


class PresentClient(msgspec.Struct):
    """A subscribed client; `conn_info` and `chan_info` are any JSON, and left out if there are none."""

    user: str
    client: str
    conn_info: Raw = msgspec.field(default_factory=Raw)
    chan_info: Raw = msgspec.field(default_factory=Raw)


class ApiPresenceResult(msgspec.Struct):
    """The subscribers, by the id of the client."""

    presence: dict[str, PresentClient]


class InfoRequest(msgspec.Struct):
    """Return what the nodes are doing."""


class ProcessInfo(msgspec.Struct):
    """The process of a node: its share of one core, in per cent, and its memory in bytes."""

    cpu: float
    rss: int


class NodeSummary(msgspec.Struct):
    """One node. `uid` is its incarnation, `uptime` in seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int
    uptime: int
    process: ProcessInfo


class InfoResult(msgspec.Struct):
    """All nodes that have answered."""

    nodes: list[NodeSummary]


class ChannelsRequest(msgspec.Struct):
    """Return the channels with subscribers, those that match `pattern` if it is given."""

    pattern: str = ""


class ChannelSummary(msgspec.Struct):
    """One channel."""

    num_clients: int


class ChannelsResult(msgspec.Struct):
    """The channels, by name."""

    channels: dict[str, ChannelSummary]


class BatchRequest(msgspec.Struct):
    """Carry out several commands: each an object of one field, which is a method and has its request."""

    commands: list[dict[str, Raw]] = []
    parallel: bool = False


class BatchResult(msgspec.Struct):
    """The replies, in the order of the commands: each with its method and result, or with `error`."""

    replies: list[Raw]


class OfUser(msgspec.Struct, kw_only=True):
    """The connections of a user; of these only `client`, or `session`, if it is given."""

    user: str = ""
    client: str = ""
    session: str = ""


class DisconnectReason(msgspec.Struct):
    """The close code and its reason."""

    code: int
    reason: str = ""


class ApiDisconnectRequest(OfUser, kw_only=True):
    """Close the connections, all but the clients in `whitelist`; with 3503, or with `disconnect`."""

    whitelist: list[str] = []
    disconnect: DisconnectReason | None = None


class ApiUnsubscribeRequest(OfUser, kw_only=True):
    """End the subscriptions to `channel`; to all channels if it is empty."""

    channel: str = ""


class ApiSubscribeRequest(OfUser, kw_only=True):
    """Subscribe to `channel`. `info` is told to others, `data` to the client; `expire_at` is Unix time, 0: never."""

    channel: str = ""
    info: Raw = msgspec.field(default_factory=Raw)
    b64info: str = ""
    data: Raw = msgspec.field(default_factory=Raw)
    b64data: str = ""
    expire_at: int = 0
    recover_since: HistorySince | None = None
    override: dict[str, Any] | None = None


class ApiRevokeTokenRequest(msgspec.Struct):
    """Refuse the token with the id `uid` (its `jti`) until it ends, at `expire_at` in Unix time, and close its clients.

    Without `expire_at` it is refused for `token.revocation_keep_s`.
    """

    uid: str = ""
    expire_at: int = 0


class ApiInvalidateUserTokensRequest(msgspec.Struct):
    """Refuse the tokens of `user` that were issued (`iat`) before `issued_before`, and close their clients.

    `issued_before` is Unix time; 0: now. With `channel` it concerns the user's subscription tokens for it alone. The
    tokens have ended at `expire_at`; 0: they are refused for `token.revocation_keep_s`.
    """

    user: str = ""
    issued_before: int = 0
    channel: str = ""
    expire_at: int = 0


class ApiRefreshRequest(OfUser, kw_only=True):
    """Set the end of the connections to `expire_at` in Unix time, 0: never; with `expired` close them now, with 3005.

    `info` is what others are told of the user from now on, in place of the token's.
    """

    expired: bool = False
    expire_at: int = 0
    info: Raw = msgspec.field(default_factory=Raw)


class ApiConnectionsRequest(msgspec.Struct):
    """Name the connections of `user`, or of everybody."""

    user: str = ""
    expression: str = ""


class ConnectionToken(msgspec.Struct):
    """The token of a connection: its id (jti), and when it was issued, in Unix seconds."""

    uid: str
    issued_at: int


class ApiConnectionState(msgspec.Struct, omit_defaults=True):
    """The state of a connection."""

    channels: dict[str, Empty]
    connection_token: ConnectionToken | None = None
    meta: Raw | msgspec.UnsetType = msgspec.UNSET


class ConnectionSummary(msgspec.Struct):
    """One connection."""

    user: str
    state: ApiConnectionState
    transport: str = "websocket"
    protocol: str = "json"


class ConnectionsResult(msgspec.Struct):
    """The connections, by the id of the client."""

    connections: dict[str, ConnectionSummary]
