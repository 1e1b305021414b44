"""Messages between gateways about sessions of plain HTTP: which backend has them (PROTOCOL.md P-3.16)."""

import msgspec

from ringway.protocol.decoding import reader
from ringway.types import Incarnation, NodeName

SESSIONS = "sessions"
"""The bus address that every gateway serves."""

SESSIONS_PER_MESSAGE_MAX = 5000
"""Sessions in one message."""


class StickySession(msgspec.Struct, frozen=True, array_like=True):
    """The session `id` of a group, and the backend that has it; `incarnation` is one life of the backend."""

    group: str
    kind: str
    id: str
    node: NodeName
    incarnation: Incarnation


class LearnedSessions(msgspec.Struct, frozen=True, kw_only=True, tag="learned"):
    """These sessions have begun."""

    sessions: tuple[StickySession, ...]


class AskSession(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Where is this session?"""

    group: str
    kind: str
    id: str


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session; None: nothing, or there was no question."""

    session: StickySession | None = None


SessionMessage = LearnedSessions | AskSession

encode_session_message = msgspec.json.Encoder().encode
decode_session_message = reader(msgspec.json.Decoder(SessionMessage).decode, "a message about sessions")
"""Return the message; raise `ProtocolError` if it cannot be read."""
decode_session_answer = reader(msgspec.json.Decoder(SessionAnswer).decode, "an answer about a session")
"""Return the answer; raise `ProtocolError` if it cannot be read."""
