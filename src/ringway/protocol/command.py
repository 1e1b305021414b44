"""The Centrifuge client protocol in its JSON form, as far as Ringway speaks it (PROTOCOL.md P-4).

Field names are the wire's. `data` stays raw JSON from end to end: nothing in between looks into it.
Fields that nobody here reads are left out of the structs and skipped by the decoder.
"""

from typing import Any

import msgspec

Raw = msgspec.Raw


class ConnectRequest(msgspec.Struct, omit_defaults=True):
    """The first command of a connection."""

    token: str = ""
    data: Raw = Raw()
    subs: dict[str, Any] | None = None
    name: str = ""
    version: str = ""


class SubscribeRequest(msgspec.Struct, omit_defaults=True):
    """Receive the publications of a channel."""

    channel: str = ""
    token: str = ""


class UnsubscribeRequest(msgspec.Struct, omit_defaults=True):
    """Receive them no more."""

    channel: str = ""


class PublishRequest(msgspec.Struct, omit_defaults=True):
    """Send `data` to all subscribers of a channel."""

    channel: str = ""
    data: Raw = Raw()


class Empty(msgspec.Struct):
    """A request or result without content; unknown content is skipped."""


class Command(msgspec.Struct, omit_defaults=True):
    """One command: an id and exactly one request. The empty object answers a server's ping."""

    id: int = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    publish: PublishRequest | None = None
    ping: Empty | None = None
    send: Empty | None = None
    presence: Empty | None = None
    presence_stats: Empty | None = None
    history: Empty | None = None
    rpc: Empty | None = None
    refresh: Empty | None = None
    sub_refresh: Empty | None = None

    def method(self) -> str | None:
        """The name of the request that stands in this command; None where there is none, or several."""
        found = [name for name in METHODS if getattr(self, name) is not None]
        return found[0] if len(found) == 1 else None


METHODS = tuple(field for field in Command.__struct_fields__ if field != "id")


class ClientInfo(msgspec.Struct, omit_defaults=True):
    """Who published. `user` and `client` always travel: SDKs require them."""

    user: str
    client: str


class Publication(msgspec.Struct, omit_defaults=True):
    """A message in a channel. Encoded once, by the publisher's node; that is what crosses the engine."""

    data: Raw
    info: ClientInfo | None = None


class SubscribeResult(msgspec.Struct, omit_defaults=True):
    """The answer to a subscribe request."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0


class ConnectResult(msgspec.Struct, omit_defaults=True):
    """The answer to a connect request. `ping` is in seconds; `pong` says that pings must be answered."""

    client: str
    version: str = ""
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""


class ReplyError(msgspec.Struct, omit_defaults=True):
    """An error as it travels."""

    code: int
    message: str = ""
    temporary: bool = False


class Push(msgspec.Struct, omit_defaults=True):
    """Something that the server sends unasked."""

    channel: str = ""
    pub: Publication | None = None
    unsubscribe: "UnsubscribePush | None" = None


class UnsubscribePush(msgspec.Struct, omit_defaults=True):
    """The server ended a subscription; from code 2500 the client subscribes again."""

    code: int = 0
    reason: str = ""


class Reply(msgspec.Struct, omit_defaults=True):
    """What the server sends: the answer to command `id`, or a push. The empty object is a ping."""

    id: int = 0
    error: ReplyError | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    publish: Empty | None = None
    ping: Empty | None = None
    push: Push | None = None
