"""Envelope of a message on the engine: a sealed head of 36 bytes, and one JSON object (PROTOCOL.md P-10.1).

    kind    1 byte    `p` a publication, `j` a join, `l` a leave, `q` a question about presence, `a` its answer
    origin  4 bytes   the incarnation of the node that sent it
    seq     8 bytes   big-endian; grows with every message of that node, whatever its channel
    object            a publication: `{"data": ..., "info": ...}`; for a join or a leave: the info of the client; else
                      what `protocol.presence` says

Kind, origin and number are those of `protocol.seal`, which adds version, time and proof. The context is the channel; of
an answer the channel, and the origin and number of its question.

Engines do not decode it. A receiving node proves it, cuts the head off and inserts the offset; the result is the object
for clients. The node decodes and encodes nothing for that. Questions and answers go to nodes only.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import BODY_AT, Sealer
from ringway.types import Channel, Incarnation

PUBLICATION, JOIN, LEAVE, QUESTION, ANSWER = b"pjlqa"
"""The kinds, as values of `kind_of`."""

KIND_AT = 1
ORIGIN = slice(2, 6)
SEQ = slice(6, 14)
SENT_MS = slice(14, 20)
"""Parts of the head, which are read in place."""

_FOR_CLIENTS = frozenset((PUBLICATION, JOIN, LEAVE))
_FIRST = b'{"'


class Envelope(NamedTuple):
    """The parts of a message between nodes."""

    origin: bytes
    """The incarnation of its sender, 4 bytes."""
    seq: int
    body: bytes


class Origin:
    """Seals the messages of one node, in the order of the calls. `wall` is Unix time in seconds."""

    __slots__ = ("_sealer", "node")

    def __init__(self, keyring: Keyring, incarnation: Incarnation, wall: Callable[[], float]) -> None:
        self._sealer = Sealer(keyring, Purpose.PUBLICATION, incarnation, wall)
        self.node = bytes.fromhex(incarnation)
        """The incarnation of the node, as heads have it: 4 bytes."""

    def seal(self, kind: int, channel: Channel, body: bytes) -> bytes:
        """Return the JSON object `body` as a message on `channel`."""
        return self._sealer.seal(kind, channel.encode(), body)

    def seal_many(self, kind: int, messages: Iterable[tuple[Channel, bytes]]) -> list[bytes]:
        """Return the JSON objects of `messages`, pairs of channel and body, each as a message on its channel."""
        return self._sealer.seal_many(kind, [(channel.encode(), body) for channel, body in messages])

    def seal_answer(self, channel: Channel, question: Envelope, body: bytes) -> bytes:
        """Return the JSON object `body` as the answer to `question`, which came on `channel`."""
        return self._sealer.seal(ANSWER, answer_context(channel, question.origin, question.seq), body)


def answer_context(channel: Channel, origin: bytes, seq: int) -> bytes:
    """Return the context of answers to the question number `seq` of `origin` on `channel`."""
    return f"{channel} {origin.hex()} {seq}".encode()


def is_sound(payload: bytes) -> bool:
    """True if it is for clients, with an object on one line behind the head: more lines would break its frame."""
    return (
        payload[BODY_AT : BODY_AT + 2] == _FIRST
        and payload.find(b"\n", BODY_AT) < 0
        and payload[KIND_AT] in _FOR_CLIENTS
    )


def body_of(payload: bytes, offset: int) -> bytes:
    """Return the object for clients: with its offset, unless the offset is 0."""
    return b'{"offset":%d,' % offset + payload[BODY_AT + 1 :] if offset else payload[BODY_AT:]


def open_envelope(payload: bytes, kind: int) -> Envelope:
    """Return the parts of a message that must be of `kind`, a question or an answer; else raise `ProtocolError`."""
    if len(payload) <= BODY_AT or payload[KIND_AT] != kind:
        raise ProtocolError(BAD_REQUEST, f"a message of {len(payload)} bytes is not of the kind {chr(kind)}")
    return Envelope(payload[ORIGIN], int.from_bytes(payload[SEQ], "big"), payload[BODY_AT:])
