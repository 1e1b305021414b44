"""Session of a client: the part of its connection that survives a move, and its encoding (PROTOCOL.md P-11).

The target makes a connection from it that is the same for the client: the same id, the same subscriptions with the same
options, at the positions where the donor stopped. It is a MessagePack array behind its version, so that a node refuses
a session of an unknown version; then the client reconnects as after any close.

Version 2 adds the client's credentials, and the rights of its subscriptions. A session without both has version 1,
which members of the last release read.
"""

import math
from collections.abc import Collection

import msgspec

from ringway.core.credentials import ANONYMOUS, Credentials, credentials_problem
from ringway.core.subscription_rights import SubscriptionRights, rights_problem
from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.decoding import reader

PLAIN = 1
"""The version of a session without credentials and without rights."""

VERSION = 2
"""The newest version of the encoding. A node refuses later ones: then a move is a plain close."""

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
    """One session. `ping_in_s` and `ends_in_s` count from the cut; without an age limit `ends_in_s` is inf.

    `user` is that of the credentials. `rights` are those of the subscriptions that have any, by channel.
    """

    version: int
    client: str
    user: str
    key: bytes  # the affinity key
    ping_in_s: float
    ends_in_s: float
    held: tuple[Held, ...]
    replies: tuple[bytes, ...]  # replies that the client was not sent yet; whole frames
    commands: tuple[bytes, ...]  # commands of the client that were not carried out yet; whole frames, in order
    credentials: Credentials = ANONYMOUS
    rights: dict[str, SubscriptionRights] = {}


class _PlainSession(msgspec.Struct, frozen=True, array_like=True):
    """The fields of version 1; what follows them is skipped."""

    version: int
    client: str
    user: str
    key: bytes
    ping_in_s: float
    ends_in_s: float
    held: tuple[Held, ...]
    replies: tuple[bytes, ...]
    commands: tuple[bytes, ...]


_PLAIN_FIELDS = len(_PlainSession.__struct_fields__)

_encoder = msgspec.msgpack.Encoder()
_read_plain = reader(msgspec.msgpack.Decoder(_PlainSession).decode, "a session")
_read_session = reader(msgspec.msgpack.Decoder(Session).decode, "a session")
_read_parts = reader(msgspec.msgpack.Decoder(list[msgspec.Raw]).decode, "a session")
_read_version = reader(msgspec.msgpack.Decoder().decode, "a session's version")


def version_of(credentials: Credentials, rights: Collection[str]) -> int:
    """Return the version of a session with `credentials`, and with rights of subscriptions to the channels `rights`."""
    return VERSION if rights or credentials != ANONYMOUS else PLAIN


def encode_session(session: Session) -> bytes:
    """Return the encoding of `session`, in its version."""
    if session.version == PLAIN:
        return _encoder.encode(msgspec.structs.astuple(session)[:_PLAIN_FIELDS])
    return _encoder.encode(session)


def decode_session(raw: bytes) -> Session:
    """Return the session in `raw`; raise `ProtocolError` if it cannot be read, or has a different version."""
    parts = _read_parts(raw)
    version = _read_version(parts[0]) if parts else None
    if version == PLAIN:
        session = Session(*msgspec.structs.astuple(_read_plain(raw)))
    elif version == VERSION:
        session = _read_session(raw)
    else:
        raise ProtocolError(BAD_REQUEST, f"the session has version {version!r}, this node knows {PLAIN} to {VERSION}")
    if not (math.isfinite(session.ping_in_s) and session.ends_in_s >= 0):  # MessagePack has NaN, which is neither
        times = f"its next ping in {session.ping_in_s} s and its end in {session.ends_in_s} s"
        raise ProtocolError(BAD_REQUEST, f"a session cannot be read: it has {times}; they must be times")
    problem = credentials_problem(session.credentials) or next(
        filter(None, map(rights_problem, session.rights.values())), ""
    )
    if problem:
        raise ProtocolError(BAD_REQUEST, f"a session cannot be read: {problem}")
    return session


def identity_problem(session: Session, user: str, channels: Collection[str]) -> str:
    """Return how `session` differs from what was prepared for `user` and the subscriptions to `channels`; '' if not.

    It is refused then: its client would be somebody else, or have more, than the node that sent it has said.
    """
    if session.user != user or session.credentials.user != user:
        return f"the session is of the user {session.user!r}, and was prepared for {user!r}"
    held = {held.channel for held in session.held}
    if more := sorted(held.difference(channels)):
        return f"the session is subscribed to {more[0]}, which was not prepared"
    if more := sorted(set(session.rights) - held):
        return f"the session has rights in {more[0]}, to which it is not subscribed"
    return ""
