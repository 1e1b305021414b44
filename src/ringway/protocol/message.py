"""Messages from frames: fragmentation, UTF-8, lengths and control-frame rules (RFC 6455, 5.4 to 8.1).

The framing library splits the byte stream into frames and unmasks them; this module checks the rest. Most messages come
in one frame: `check_whole` checks these without state, so that a connection needs a `MessageAssembler` only while a
fragmented message is on its way.
"""

import codecs

from ringway.errors import ProtocolError
from ringway.protocol.close import INVALID_PAYLOAD, MESSAGE_TOO_BIG, PROTOCOL_ERROR
from ringway.protocol.frame import BINARY, CONTINUATION, TEXT

_Utf8 = codecs.getincrementaldecoder("utf-8")


def check_whole(opcode: int, payload: bytes, message_bytes_max: int) -> None:
    """Accept a message that came in one frame, or raise `ProtocolError`: too long, or text that is not UTF-8."""
    if len(payload) > message_bytes_max:
        raise ProtocolError(MESSAGE_TOO_BIG, f"a message is longer than {message_bytes_max} bytes")
    if opcode == TEXT and not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            raise ProtocolError(INVALID_PAYLOAD, "a text message is not UTF-8") from None


def check_control(opcode: int, payload: bytes, *, fin: bool, rsv: bool) -> None:
    """Accept a control frame, or raise `ProtocolError` (RFC 6455, 5.5)."""
    if rsv:
        raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed")
    if not fin or len(payload) > 125:
        raise ProtocolError(PROTOCOL_ERROR, "a control frame is fragmented or longer than 125 bytes")
    if opcode not in (0x8, 0x9, 0xA):
        raise ProtocolError(PROTOCOL_ERROR, f"the opcode {opcode:#x} is reserved")


class MessageAssembler:
    """Joins data frames to messages. An idle assembler needs no memory beside its slots.

    `message_bytes_max` bounds a message, `fragments_max` the number of its frames: a message in very many tiny frames
    costs far more than its bytes (CVE-2026-48779).
    """

    __slots__ = ("_bytes_max", "_count", "_decoder", "_fragments_max", "_opcode", "_parts", "_size")

    def __init__(self, message_bytes_max: int, fragments_max: int = 1024) -> None:
        self._bytes_max = message_bytes_max
        self._fragments_max = fragments_max
        self._opcode = CONTINUATION
        self._parts: list[bytes] | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._size = 0
        self._count = 0

    @property
    def idle(self) -> bool:
        """True if no fragmented message is on its way."""
        return self._parts is None

    def feed(self, opcode: int, payload: bytes, *, fin: bool, rsv: bool) -> tuple[int, bytes] | None:
        """Process one data frame; return opcode and payload of the message that it completes, or None.

        A text message is checked to be UTF-8 as it comes in, so that a bad byte is found before the message is whole.
        Raise `ProtocolError` if a rule is broken.
        """
        if rsv:
            raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed")
        if (opcode == CONTINUATION) != (self._parts is not None):
            raise ProtocolError(PROTOCOL_ERROR, "a message begins within another, or continues none")
        if opcode not in (CONTINUATION, TEXT, BINARY):
            raise ProtocolError(PROTOCOL_ERROR, f"the opcode {opcode:#x} is no data frame's")
        if fin and self._parts is None:
            check_whole(opcode, payload, self._bytes_max)
            return opcode, payload
        return self._add(opcode, payload, fin)

    def _add(self, opcode: int, payload: bytes, fin: bool) -> tuple[int, bytes] | None:
        if self._parts is None:
            self._parts = []
            self._opcode = opcode
            self._decoder = _Utf8() if opcode == TEXT else None
        self._count += 1
        self._size += len(payload)
        if self._size > self._bytes_max:
            raise ProtocolError(MESSAGE_TOO_BIG, f"a message is longer than {self._bytes_max} bytes")
        if self._count > self._fragments_max:
            raise ProtocolError(MESSAGE_TOO_BIG, f"a message came in more than {self._fragments_max} frames")
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, final=fin)
            except UnicodeDecodeError:
                raise ProtocolError(INVALID_PAYLOAD, "a text message is not UTF-8") from None
        self._parts.append(payload)
        if not fin:
            return None
        message = b"".join(self._parts)
        self._parts = self._decoder = None
        self._size = self._count = 0
        return self._opcode, message
