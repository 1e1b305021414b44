"""Inflow of one peer: the check for legal frames, and the end of the peer's half of the connection.

A framing library that reads the next frame before it returns the present frame answers too early: it answers a broken
frame, or a second close frame, before earlier messages were carried out. So headers are checked here, at their arrival,
and the library gets legal frames only (PROTOCOL.md P-2.8). `protocol.message` checks the content of data frames.

Invariant: between two pieces either `left` payload bytes of a frame are outstanding and `_head` is empty, or `_head`
holds the beginning of the next frame: of its header, or of a whole close frame, no byte of which is passed on.
"""

from ringway.errors import ProtocolError
from ringway.protocol.close import MESSAGE_TOO_BIG, PROTOCOL_ERROR
from ringway.protocol.frame import BINARY, CLOSE, CONTINUATION, LONE_MASKED, LONE_PLAIN, PING, PONG, TEXT, is_lone

_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_UNKNOWN = -1


class Inflow:
    """Follows the bytes of a peer. `masked`: True for a client's frames, False for a server's.

    `payload_bytes_max` bounds one data frame; `MessageAssembler` bounds messages.
    """

    __slots__ = ("_bytes_max", "_head", "_lone", "end", "left")

    def __init__(self, *, masked: bool, payload_bytes_max: int) -> None:
        self._bytes_max = payload_bytes_max
        self._lone = LONE_MASKED if masked else LONE_PLAIN
        self.left = 0
        """The number of payload bytes of the frame under way that are still to come."""
        self._head = b""
        self.end: bytes | ProtocolError | None = None
        """The cause of its end: the payload of a close frame, or a breach of the protocol; None while it goes on."""

    def feed(self, data: bytes | memoryview) -> int:
        """Follow `data`, the next bytes; return the number of its first bytes that are for the framing library.

        The rest belongs to a close frame, or is behind the `end` and does not count.
        """
        size = len(data)
        if self.end is not None:
            return 0
        if size <= self.left:
            self.left -= size
            return size
        if not self.left and not self._head and is_lone(data, self._lone):
            return size
        head, self._head = self._head, b""
        try:
            return max(0, self._follow(head + data if head else data, self.left) - len(head))
        except _Breach as breach:
            self.end = breach.error
            return max(0, breach.at - len(head))

    def _follow(self, data: bytes | memoryview, pos: int) -> int:
        """Follow `data` frame by frame from `pos`, where a header begins; return the bytes that are passed on."""
        size = len(data)
        while pos < size:
            start, length = self._read_header(data, pos)
            if data[pos] & 0x0F == CLOSE:
                if start == _UNKNOWN or start + length > size:
                    self._head = bytes(data[pos:])
                else:
                    self.end = self._payload(data, pos, start, length)
                self.left = 0
                return pos
            if start == _UNKNOWN:
                self._head = bytes(data[pos:])
                self.left = 0
                return size
            pos = start + length
        self.left = pos - size
        return size

    def _read_header(self, data: bytes | memoryview, pos: int) -> tuple[int, int]:
        """Return the start and the length of the payload of the frame at `pos`; `_UNKNOWN` before the header is whole.

        Raise `_Breach` as soon as a rule is broken: by the first byte, the second byte, or the length.
        """
        first = data[pos]
        if first & 0x70:
            raise _Breach(pos, PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed")
        if first & 0x0F not in _OPCODES:
            raise _Breach(pos, PROTOCOL_ERROR, f"the opcode {first & 0x0F:#x} is reserved")
        if first & 0x88 == 0x08:
            raise _Breach(pos, PROTOCOL_ERROR, "a control frame is fragmented")
        if len(data) - pos < 2:
            return _UNKNOWN, 0
        masked, length = data[pos + 1] >> 7, data[pos + 1] & 0x7F
        if bool(masked) != (self._lone is LONE_MASKED):
            raise _Breach(pos, PROTOCOL_ERROR, "a client's frame is not masked, or a server's is")
        if length > 125 and first & 0x08:
            raise _Breach(pos, PROTOCOL_ERROR, "a control frame is longer than 125 bytes")
        wide = 0 if length < 126 else 2 if length == 126 else 8
        start = pos + 2 + wide + 4 * masked
        if start > len(data):
            return _UNKNOWN, 0
        if wide:
            length = int.from_bytes(data[pos + 2 : pos + 2 + wide], "big")
            if length < (126 if wide == 2 else 1 << 16) or length >> 63:
                raise _Breach(pos, PROTOCOL_ERROR, f"the length {length} is written in {wide} bytes")
        if length > self._bytes_max:
            raise _Breach(pos, MESSAGE_TOO_BIG, f"a frame of {length} bytes; at most {self._bytes_max} are taken")
        return start, length

    def _payload(self, data: bytes | memoryview, pos: int, start: int, length: int) -> bytes:
        payload = bytes(data[start : start + length])
        if start == pos + 2:
            return payload
        mask = data[pos + 2 : start]
        return bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


class _Breach(Exception):
    """A rule that the frame at `at` breaks."""

    def __init__(self, at: int, code: int, rule: str) -> None:
        super().__init__(rule)
        self.at = at
        self.error = ProtocolError(code, rule)
