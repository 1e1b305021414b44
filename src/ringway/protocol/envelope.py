"""Envelope of a message on the engine: a head of 13 bytes, and one JSON object (PROTOCOL.md P-10.1).

    kind    1 byte    `p` a publication, `j` a join, `l` a leave
    origin  4 bytes   the incarnation of the node that sent it
    seq     8 bytes   big-endian; grows with every message of that node, whatever its channel
    object            a publication: `{"data": ..., "info": ...}`; else the info of the client that it is about

Engines do not decode it. A receiving node cuts the head off and puts the offset in; then the object is as clients get
it. Nothing is decoded or encoded on that way.
"""

from ringway.types import Incarnation

HEAD_BYTES = 13
"""Where the object begins."""

PUBLICATION, JOIN, LEAVE = b"pjl"
"""The kinds, as `payload[0]` reads them."""

_NAMES = {PUBLICATION: b"p", JOIN: b"j", LEAVE: b"l"}
_FIRST = b'{"'


class Origin:
    """Puts the heads before the messages of one node, in the order of the calls."""

    __slots__ = ("_origin", "_seq")

    def __init__(self, incarnation: Incarnation) -> None:
        self._origin = bytes.fromhex(incarnation)
        self._seq = 0

    def seal(self, kind: int, body: bytes) -> bytes:
        """Return the JSON object `body` with its head."""
        self._seq += 1
        return _NAMES[kind] + self._origin + self._seq.to_bytes(8, "big") + body


def is_sound(payload: bytes) -> bool:
    """True if it is of a known kind, with an object behind the head on one line: else it would break its frame."""
    return (
        payload[HEAD_BYTES : HEAD_BYTES + 2] == _FIRST and payload.find(b"\n", HEAD_BYTES) < 0 and payload[0] in _NAMES
    )


def body_of(payload: bytes, offset: int) -> bytes:
    """Return the object as clients receive it: with its offset, unless that is 0."""
    return b'{"offset":%d,' % offset + payload[HEAD_BYTES + 1 :] if offset else payload[HEAD_BYTES:]
