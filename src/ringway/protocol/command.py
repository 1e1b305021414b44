"""The part of the Centrifuge client protocol, in its JSON form, that Ringway implements (PROTOCOL.md P-4).

Field names are those on the wire. `data` is raw JSON from end to end: no part of Ringway decodes it. Fields that
Ringway does not read are left out of the structs and skipped by the decoder.
"""

from typing import Annotated

import msgspec

Raw = msgspec.Raw

ABSENT = Raw()
"""Raw JSON that is left out: encoders compare with this object."""

Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A position in a channel's history."""


class ConnectRequest(msgspec.Struct, omit_defaults=True):
    """The first command of a connection."""

    token: str = ""
    data: Raw = Raw()
    subs: "dict[str, SubscribeRequest] | None" = None  # positions in channels to which the server subscribes it
    name: str = ""
    version: str = ""


class SubscribeRequest(msgspec.Struct, omit_defaults=True):
    """Receive the publications of a channel. With `recover` also those after `offset` of `epoch`."""

    channel: str = ""
    token: str = ""
    data: Raw = Raw()  # for the hook that decides
    recover: bool = False
    epoch: str = ""
    offset: Offset = 0
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    flag: int = 0
    type: Raw = Raw()  # the type of subscription; 0 is a stream, all other types are refused
    tf: Raw = Raw()  # a filter by tags; not served


class UnsubscribeRequest(msgspec.Struct, omit_defaults=True):
    """Stop receiving the publications of a channel."""

    channel: str = ""


class PublishRequest(msgspec.Struct, omit_defaults=True):
    """Send `data` to all subscribers of a channel; once for all repetitions with one `idempotency_key`."""

    channel: str = ""
    data: Raw = Raw()
    idempotency_key: str = ""  # an extension of Ringway: further servers skip it


class HistorySince(msgspec.Struct, omit_defaults=True):
    """A position in a channel's history."""

    offset: Offset = 0
    epoch: str = ""


class HistoryRequest(msgspec.Struct, omit_defaults=True):
    """Read the history of a channel: `limit` publications after `since`, or before it; for 0 only the position."""

    channel: str = ""
    limit: int = 0  # below 0: the node's maximum
    since: HistorySince | None = None
    reverse: bool = False


class PresenceRequest(msgspec.Struct, omit_defaults=True):
    """Query the subscribers of a channel, or their number."""

    channel: str = ""


class RefreshRequest(msgspec.Struct, omit_defaults=True):
    """Go on after the end of the connection's token, by a new token."""

    token: str = ""


class SubRefreshRequest(msgspec.Struct, omit_defaults=True):
    """Go on after the end of a subscription's token, by a new token."""

    channel: str = ""
    token: str = ""


class RpcRequest(msgspec.Struct, omit_defaults=True):
    """Call the function that answers `method`, with `data`."""

    method: str = ""
    data: Raw = Raw()


class Empty(msgspec.Struct):
    """A request or result without content; unknown content is skipped."""


class Command(msgspec.Struct, omit_defaults=True):
    """One command: an id and exactly one request. The empty object is the pong to a server's ping."""

    id: int = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    publish: PublishRequest | None = None
    ping: Empty | None = None
    send: Empty | None = None
    presence: PresenceRequest | None = None
    presence_stats: PresenceRequest | None = None
    history: HistoryRequest | None = None
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None

    def method(self) -> str | None:
        """The name of this command's request; None if it has no request, or several."""
        found = [name for name in METHODS if getattr(self, name) is not None]
        return found[0] if len(found) == 1 else None


COMMAND_ID_MAX = 2**32 - 1
"""The highest id of a command: uint32 in the protocol's definition."""


class Unreadable(Command):
    """A line that is no readable command; `why` names the problem. It holds no request."""

    line: bytes = b""
    why: str = ""


REJECT_UNRECOVERED = 2
"""The bit of a subscribe request's `flag` that requests error 112 if publications are missing."""

METHODS = tuple(field for field in Command.__struct_fields__ if field != "id")


class ClientInfo(msgspec.Struct, omit_defaults=True):
    """A client, as others see it. `user` and `client` are always sent: SDKs require them."""

    user: str
    client: str
    conn_info: Raw = ABSENT  # JSON of its connection
    chan_info: Raw = ABSENT  # JSON of its subscription

    @property
    def info_bytes(self) -> int:
        """The size of its JSON."""
        return sum(len(bytes(raw)) for raw in (self.conn_info, self.chan_info) if raw is not ABSENT)


def raw_or_absent(json: bytes) -> Raw:
    """Return `json` as a field; `ABSENT` if it is empty."""
    return Raw(json) if json else ABSENT


class RawPublication(msgspec.Struct, omit_defaults=True):
    """A message in a channel. The publisher's node encodes it once, and the engine carries this encoding.

    `offset` is 0 if the channel has no history. `time` is Unix time in milliseconds; this server leaves it out. Only
    publications of the server API have `tags`.
    """

    data: Raw
    info: ClientInfo | None = None
    offset: int = 0
    time: int = 0
    tags: dict[str, str] | None = None


class SubscribeResult(msgspec.Struct, omit_defaults=True):
    """The answer to a subscribe request. `publications` are the missed publications, encoded."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    publications: list[Raw] = []
    recovered: bool = False
    was_recovering: bool = False
    positioned: bool = False
    expires: bool = False  # it ends after `ttl` seconds, unless the client sends a new token
    ttl: int = 0
    data: Raw = ABSENT  # for the client, from a hook


class HistoryResult(msgspec.Struct, omit_defaults=True):
    """The answer to a history request; `epoch` and `offset` are the present position of the channel."""

    publications: list[Raw] = []
    epoch: str = ""
    offset: int = 0


class PresenceResult(msgspec.Struct):
    """The subscribers, by the id of the connection."""

    presence: dict[str, ClientInfo] = {}


class PresenceStatsResult(msgspec.Struct):
    """The number of subscribed connections and users."""

    num_clients: int = 0
    num_users: int = 0


class Note(msgspec.Struct):
    """The client that joined or left."""

    info: ClientInfo


class ConnectResult(msgspec.Struct, omit_defaults=True):
    """The answer to a connect request. `ping` is in seconds; `pong` says that pings must be answered.

    `subs` are the subscriptions that the server has made. If it `expires`, it ends after `ttl` seconds. `data` is for
    the client, from the connect hook.
    """

    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    data: Raw = ABSENT


class RefreshResult(msgspec.Struct, omit_defaults=True):
    """The answer to a refresh; as of a connect request."""

    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(msgspec.Struct, omit_defaults=True):
    """The answer to a refresh of a subscription."""

    expires: bool = False
    ttl: int = 0


class RpcResult(msgspec.Struct, omit_defaults=True):
    """The answer to a call."""

    data: Raw = ABSENT


class ReplyError(msgspec.Struct, omit_defaults=True):
    """An error in a reply."""

    code: int
    message: str = ""
    temporary: bool = False


class Push(msgspec.Struct, omit_defaults=True):
    """A message of the server that answers no command."""

    channel: str = ""
    pub: RawPublication | None = None
    join: Note | None = None
    leave: Note | None = None
    subscribe: "SubscribePush | None" = None
    unsubscribe: "UnsubscribePush | None" = None
    refresh: "RefreshPush | None" = None


class RefreshPush(msgspec.Struct, omit_defaults=True):
    """The server has set another end of the connection: in `ttl` seconds, if it `expires`."""

    expires: bool = False
    ttl: int = 0


class SubscribePush(msgspec.Struct, omit_defaults=True):
    """The server made a subscription; `data` is for the client. The client gets what follows after the position."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    data: Raw = ABSENT


class UnsubscribePush(msgspec.Struct, omit_defaults=True):
    """The server ended a subscription; from code 2500 the client subscribes again."""

    code: int = 0
    reason: str = ""


class Reply(msgspec.Struct, omit_defaults=True):
    """A message of the server: the answer to command `id`, or a push. The empty object is a ping."""

    id: int = 0
    error: ReplyError | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    publish: Empty | None = None
    history: HistoryResult | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    ping: Empty | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None
    rpc: RpcResult | None = None
    push: Push | None = None
