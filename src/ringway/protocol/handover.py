"""Hand-over messages between two nodes (PROTOCOL.md P-11), over the bus, in MessagePack."""

import msgspec

from ringway.protocol.decoding import reader
from ringway.types import NodeName


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag="prepare"):
    """Prepare for a session. The nonce of `ticket` names the hand-over; the client's ticket has the same nonce.

    `ticket` itself admits nobody (`ticket.NO_BEARER`): others may read the engine.
    """

    ticket: str
    client: str
    user: str
    channels: tuple[str, ...]
    info: bytes = b""  # of the client, told to others; JSON
    granted: dict[str, bytes] = {}  # the subscriptions with rights of their own, each with its info; JSON
    is_verified: bool = False  # the client has shown a token


class Commit(msgspec.Struct, frozen=True, array_like=True, tag="commit"):
    """The donor has stopped: this is the session (`core.session`), at its cut."""

    ticket: str
    session: bytes


class Abandon(msgspec.Struct, frozen=True, array_like=True, tag="abandon"):
    """No client will come: the client was lost, or could not be cut cleanly."""

    ticket: str


Request = Prepare | Commit | Abandon


class SessionTaken(msgspec.Struct, frozen=True, array_like=True, tag="taken"):
    """The request was carried out."""


class SessionRefused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """The request was refused; `why` names the value, the rule and the remedy."""

    why: str
    is_over: bool = False  # the target has given the session up already, and counted its outcome


Answer = SessionTaken | SessionRefused

_encoder = msgspec.msgpack.Encoder()
_request: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)

encode = _encoder.encode
decode_request = reader(_request.decode, "a request to take a session")
decode_answer = reader(_answer.decode, "an answer about a session")


def session_address(name: NodeName) -> str:
    """The bus address at which the node `name` receives sessions."""
    return f"session.{name}"
