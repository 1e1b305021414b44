"""Presence questions between nodes: the subscribers of a channel (PROTOCOL.md P-9.7)."""

import msgspec

from ringway.protocol.command import ClientInfo
from ringway.protocol.decoding import reader
from ringway.types import Channel

PRESENCE = "presence"
"""The bus address that every node serves."""


class PresenceQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ask a node for its subscribers of `channel`; with `clients_max` 0 only for their number."""

    channel: Channel
    clients_max: int = 0


class PresenceAnswer(msgspec.Struct, omit_defaults=True):
    """The subscribers of one node. `clients` are left out if they are more than was asked for; all else is given."""

    count: int = 0  # of connections; a session on its way here is among `coming`
    clients: dict[str, ClientInfo] = {}
    users: list[str] = []
    """The users of the clients, each once; at most `USERS_MAX`, beyond that an arbitrary selection."""
    coming: list[str] = []
    """Clients whose sessions are on their way to this node."""
    leaving: list[str] = []
    """Clients counted here whose sessions may be on their way to another node."""


USERS_MAX = 10_000

encode = msgspec.json.Encoder().encode
decode_question = reader(msgspec.json.Decoder(PresenceQuestion).decode, "a question about presence")
decode_answer = reader(msgspec.json.Decoder(PresenceAnswer).decode, "an answer about presence")
