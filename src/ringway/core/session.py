"""Session of a client: the part of its connection that survives a move, and its encoding (PROTOCOL.md P-11).

The target makes a connection from it that is the same for the client: the same id, the same subscriptions with the same
options, at the positions where the donor stopped. It is a MessagePack array behind its version, so that a node refuses
a session of an unknown version; then the client reconnects as after any close.
"""

import math

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.decoding import reader

VERSION = 1
"""Version of the encoding. A node accepts only its own: in a rolling upgrade to a new one, moves are plain closes."""

WATCHING = 1
"""The flag of a subscription that receives joins and leaves."""


class Held(msgspec.Struct, frozen=True, array_like=True):
    """One subscription, and the position up to which its client has received the channel.

    A channel with history has `epoch` and `offset` of the last publication. A channel without history has `heard`: the
    number of the last message of each origin, in hexadecimal, that published there.
    """

    channel: str
    flags: int  # the subscription's options, `WATCHING` or 0
    epoch: str
    offset: int
    heard: dict[str, int]


class Session(msgspec.Struct, frozen=True, array_like=True):
    """One session. `ping_in_s` and `ends_in_s` count from the cut; without an age limit `ends_in_s` is inf."""

    version: int
    client: str
    user: str  # empty, as long as nodes verify no users
    key: bytes  # the affinity key
    ping_in_s: float
    ends_in_s: float
    held: tuple[Held, ...]
    replies: tuple[bytes, ...]  # replies that the client was not sent yet; whole frames
    commands: tuple[bytes, ...]  # commands of the client that were not carried out yet; whole frames, in order


_encoder = msgspec.msgpack.Encoder()
_read_session = reader(msgspec.msgpack.Decoder(Session).decode, "a session")
_read_parts = reader(msgspec.msgpack.Decoder(list[msgspec.Raw]).decode, "a session")
_read_version = reader(msgspec.msgpack.Decoder().decode, "a session's version")


def encode_session(session: Session) -> bytes:
    """Return the encoding of `session`."""
    return _encoder.encode(session)


def decode_session(raw: bytes) -> Session:
    """Return the session in `raw`; raise `ProtocolError` if it cannot be read, or has a different version."""
    parts = _read_parts(raw)
    version = _read_version(parts[0]) if parts else None
    if version != VERSION:
        raise ProtocolError(BAD_REQUEST, f"the session has version {version!r}, this node knows {VERSION}")
    session = _read_session(raw)
    if not (math.isfinite(session.ping_in_s) and session.ends_in_s >= 0):  # MessagePack has NaN, which is neither
        times = f"its next ping in {session.ping_in_s} s and its end in {session.ends_in_s} s"
        raise ProtocolError(BAD_REQUEST, f"a session cannot be read: it has {times}; they must be times")
    return session
