"""Notices of redeemed tickets, from the target of moves to their donor, in MessagePack (PROTOCOL.md P-8.9).

Nodes do not hear each other's reports. The target tells the donor how many of its tickets were redeemed by the target's
last report, so that the donor ends the places that it holds.
"""

import msgspec

from ringway.protocol.decoding import reader
from ringway.types import Incarnation, Issuer, NodeName


class TakenNotice(msgspec.Struct, frozen=True, array_like=True):
    """The target `name` has redeemed `count` tickets of the receiver since the start of its `incarnation`."""

    name: NodeName
    incarnation: Incarnation
    count: int


encode_notice = msgspec.msgpack.Encoder().encode
decode_notice = reader(msgspec.msgpack.Decoder(TakenNotice).decode, "a notice of redeemed tickets")
"""Return the notice in the bytes given; raise `ProtocolError` if they cannot be read."""


def issuer_address(issuer: Issuer) -> str:
    """Return the bus address at which the node that is `issuer` receives notices."""
    return f"issuer.{issuer}"
