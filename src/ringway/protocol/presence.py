"""Presence questions between nodes: the subscribers of a channel (PROTOCOL.md P-9.7).

Both are the objects of envelopes (`protocol.envelope`), whose heads name the nodes that ask and answer.
"""

import msgspec

from ringway.protocol.command import ClientInfo
from ringway.protocol.decoding import reader
from ringway.types import Channel

USERS_MAX = 10_000


def presence_address(node: bytes) -> str:
    """Return the bus address at which `node`, the 4 bytes of its incarnation, is asked alone."""
    return f"presence.{node.hex()}"


class PresenceQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ask a node for its subscribers of `channel`, by name if they are no more than `clients_max`."""

    channel: Channel
    clients_max: int = 0


class PresenceAnswer(msgspec.Struct, omit_defaults=True):
    """The subscribers of one node."""

    to: int = 0
    """The number in the head of the question."""
    count: int = 0  # connections; a session on its way here is among `coming`
    clients: dict[str, ClientInfo] = {}
    """Connections and sessions on their way here; left out if they are more than was asked for."""
    users: list[str] = []
    """The users of clients that are not named, each once; at most `USERS_MAX`, beyond that an arbitrary selection."""
    coming: list[str] = []
    """Clients whose sessions are on their way to this node."""
    leaving: list[str] = []
    """Clients counted here whose sessions may be on their way to their next node."""

    @property
    def is_named(self) -> bool:
        """True if `clients` are all clients that are present here."""
        return len(self.clients) >= self.count + len(self.coming)


encode = msgspec.json.Encoder().encode
decode_question = reader(msgspec.json.Decoder(PresenceQuestion).decode, "a question about presence")
decode_answer = reader(msgspec.json.Decoder(PresenceAnswer).decode, "an answer about presence")


def address_answer(answer: bytes, to: int) -> bytes:
    """Return an encoded answer as the answer to the question number `to`."""
    return b'{"to":%d%b%b' % (to, b"," if len(answer) > len(b"{}") else b"", answer[1:])
