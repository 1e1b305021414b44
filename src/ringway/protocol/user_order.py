"""Orders of backends to the clients of a user, at all nodes, and the answers of the nodes (PROTOCOL.md P-9.13)."""

import msgspec

from ringway.protocol.count import Count
from ringway.protocol.decoding import reader
from ringway.types import Incarnation

USERS = "users"
"""The bus address that every node serves; `Bus.gather` reaches all of them."""

FOUND_BYTES_MAX = 512 * 1024
"""The longest list of connections in an answer: engines bound their messages, by default to 1 MiB."""


class UserOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The clients of `user`; of these only `client`, or `session`, if it is given. An empty user is the anonymous."""

    user: str
    client: str = ""
    session: str = ""

    def concerns(self, client: str) -> bool:
        """True if the order concerns the client with this id, which is its session as well."""
        return (not self.client or self.client == client) and (not self.session or self.session == client)


class DisconnectOrder(UserOrder, frozen=True, kw_only=True, tag="disconnect"):
    """Close with `code` and `reason`, all but the clients in `spared`, and sessions of connections made before `at`."""

    code: int
    reason: str
    at: float  # Unix time, by the clock of the node that was called
    spared: tuple[str, ...] = ()

    def concerns(self, client: str) -> bool:
        """True if the order concerns the client with this id."""
        return client not in self.spared and UserOrder.concerns(self, client)


class NewestOrder(DisconnectOrder, frozen=True, kw_only=True, tag="newest"):
    """Close all but the client `newest`, which has connected at `at`, and those that are newer."""

    newest: str

    def concerns(self, client: str) -> bool:
        """True if the order concerns the client with this id."""
        return client != self.newest

    def is_newer(self, client: str, connected_at: float) -> bool:
        """True if the client with this id is newer than the newest that the order knows; by the id at equal times."""
        return (connected_at, client) > (self.at, self.newest)


class UnsubscribeOrder(UserOrder, frozen=True, kw_only=True, tag="unsubscribe"):
    """End the subscriptions to `channel`; to all channels if it is empty."""

    channel: str = ""
    code: int = 2000
    reason: str = "server unsubscribe"


class SubscribeOrder(UserOrder, frozen=True, kw_only=True, tag="subscribe"):
    """SubscribeOrder to `channel`. `info` is told to others and `data` to the client; both are JSON, or empty."""

    channel: str
    info: str = ""
    data: str = ""
    expires_at: float = 0.0  # Unix time; 0: never


class RefreshOrder(UserOrder, frozen=True, kw_only=True, tag="refresh"):
    """Let the connections end at `expires_at`, or close them with 3005 if they have `expired`.

    `info` is told to others from now on; None: as before. It is JSON, or empty.
    """

    expired: bool = False
    expires_at: float = 0.0  # Unix time; 0: never
    info: str | None = None


class AskConnections(UserOrder, frozen=True, kw_only=True, tag="connections"):
    """Name the connections."""

    connections_max: Count = 1000


UserRequest = DisconnectOrder | NewestOrder | UnsubscribeOrder | SubscribeOrder | RefreshOrder | AskConnections


class OrderDone(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The node has carried the order out for `count` connections; `newer` ones were left (`NewestOrder`)."""

    incarnation: Incarnation
    count: Count
    newer: Count = 0


class FoundConnection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection."""

    user: str
    channels: tuple[str, ...]
    server_side: tuple[str, ...] = ()  # the channels that the server subscribed it to
    token_id: str = ""
    issued_at: float = 0.0  # of its token, Unix time; 0: none, or not known
    meta: str = ""  # JSON, or empty


class NodeConnections(msgspec.Struct, frozen=True, kw_only=True, tag="connections"):
    """The connections at a node, by the id of the client."""

    incarnation: Incarnation
    connections: dict[str, FoundConnection]
    is_cut: bool = False  # there are more than may be named


UserAnswer = OrderDone | NodeConnections

_encoder = msgspec.json.Encoder()
_request: msgspec.json.Decoder[UserRequest] = msgspec.json.Decoder(UserRequest)
_answer: msgspec.json.Decoder[UserAnswer] = msgspec.json.Decoder(UserAnswer)

encode = _encoder.encode
decode_request = reader(_request.decode, "an order to the clients of a user")
decode_answer = reader(_answer.decode, "a node's answer to an order")
