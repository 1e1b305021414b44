"""A session: what of a client's connection must survive a move, and its form on the way (PROTOCOL.md P-11).

The target makes a connection of it that its client cannot tell from the one before: the same id, the same
subscriptions with the same options, at the positions where the donor stopped. It is written as a MessagePack array
behind its version, so that a node refuses one that it does not understand, and its client reconnects as ever.
"""

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST

VERSION = 1
"""Of the form below. A node takes this one alone: in a rolling upgrade to another, moves are plain closes."""

WATCHING = 1
"""The client is told of joins and leaves."""


class Held(msgspec.Struct, frozen=True, array_like=True):
    """One subscription, and what its client has been sent of the channel.

    A channel with history has a position: `epoch` and `offset` of the last publication. One without has `heard`: the
    number of the last message by each origin, in hexadecimal, that published there.
    """

    channel: str
    flags: int  # the subscription's options, `WATCHING` or 0
    epoch: str
    offset: int
    heard: dict[str, int]


class Session(msgspec.Struct, frozen=True, array_like=True):
    """See the module. `ping_in_s` and `ends_in_s` are from the cut on; a connection without an age never ends (inf)."""

    version: int
    client: str
    user: str  # empty, as long as nodes verify nobody
    key: bytes  # for affinity
    ping_in_s: float
    ends_in_s: float
    held: tuple[Held, ...]
    replies: tuple[bytes, ...]  # to commands that were carried out, not sent to the client yet; whole frames
    commands: tuple[bytes, ...]  # that the client sent and nobody has carried out; whole frames, in order


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Session)
_version = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode_session(session: Session) -> bytes:
    """Return `session` as it travels."""
    return _encoder.encode(session)


def decode_session(raw: bytes) -> Session:
    """Return the session in `raw`; raise `ProtocolError` where it is none, or of another version."""
    try:
        parts = _version.decode(raw)
        version = msgspec.msgpack.decode(parts[0]) if parts else None
        if version != VERSION:
            raise ProtocolError(BAD_REQUEST, f"the session has version {version!r}, this node knows {VERSION}")
        return _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise ProtocolError(BAD_REQUEST, f"a session cannot be read: {error}") from error
