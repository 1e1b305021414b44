"""Messages between gateways about clients that are expected back after a move (PROTOCOL.md P-9.11)."""

import msgspec

from ringway.protocol.decoding import reader
from ringway.types import NodeName

EXPECTED = "expected"
"""The bus address that every gateway serves."""

CLIENTS_MAX = 10_000
"""Clients, or ids, in one message."""


class ExpectedClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client with a promised place at `target`, because it must leave `donor`."""

    id: str  # chosen by the gateway that tells it
    mark: str  # a keyed hash of its affinity key or its address
    gateway: NodeName  # the gateway that tells it, which holds the place
    donor: NodeName
    target: NodeName
    ttl_s: float


class Expect(msgspec.Struct, frozen=True, kw_only=True, tag="expect"):
    """Give these clients the places that they were promised."""

    clients: tuple[ExpectedClient, ...]


class Came(msgspec.Struct, frozen=True, kw_only=True, tag="came"):
    """These clients have come, or will not come: stop expecting them.

    `shown`: they are in a report of the gateway to which they came, so their places are not needed any more.
    """

    ids: tuple[str, ...]
    shown: bool = False


ExpectMessage = Expect | Came


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag="noted"):
    """The message was received."""


encode_expect = msgspec.json.Encoder().encode
decode_expect = reader(msgspec.json.Decoder(ExpectMessage).decode, "a message about expected clients")
"""Return the message; raise `ProtocolError` if it cannot be read."""
