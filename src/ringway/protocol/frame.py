"""WebSocket frames on the wire (RFC 6455, 5): building them, and following their boundaries in a byte stream."""

import struct

from ringway.errors import ProtocolError
from ringway.protocol.close import INVALID_PAYLOAD, PROTOCOL_ERROR, REASON_BYTES_MAX, may_travel

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

COMPRESSED = 0x40
"""The bit of a first byte that says that a message is compressed (RFC 7692, 6)."""

_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})


NO_CODE = 1005
"""Reported if a close frame has no code; never sent (RFC 6455, 7.4.1)."""


def server_frame(opcode: int, payload: bytes) -> bytes:
    """Return one unmasked, final frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return struct.pack(">BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack(">BBQ", 0x80 | opcode, 127, size) + payload


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Return one final control frame of at most 125 bytes, as clients send them, under the mask of zeros.

    A mask protects intermediaries from data that a page makes a browser send (RFC 6455, 10.3). No page has chosen this
    payload.
    """
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a close frame; a too long reason is cut between two characters."""
    text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore").encode()
    return struct.pack(">H", code) + text


def read_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame's payload: 1005 if it is empty (RFC 6455, 7.1.5).

    Raise `ProtocolError` for a single byte, a code that may not travel, or a reason that is not UTF-8.
    """
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise ProtocolError(PROTOCOL_ERROR, "a close frame holds half a code")
    code = int.from_bytes(payload[:2], "big")
    if not may_travel(code):
        raise ProtocolError(PROTOCOL_ERROR, f"the close code {code} may not be sent")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise ProtocolError(INVALID_PAYLOAD, "a close reason is not UTF-8") from None


LONE_MASKED = (-1,) * 128 + tuple(range(6, 132)) + (-1, -1)
"""By second byte, the size of a masked frame with a one-byte length."""

LONE_PLAIN = tuple(range(2, 128)) + (-1,) * 130
"""By second byte, the size of an unmasked frame with a one-byte length."""

LONE_NEVER = (-1,) * 256

WHOLE_MESSAGES = frozenset({0x80 | TEXT, 0x80 | BINARY})
"""First bytes of frames that are messages by themselves."""


def is_lone(piece: bytes | memoryview, lone: tuple[int, ...]) -> bool:
    """True if `piece` is one short whole message, by the table `lone`. (`relay_end` inlines this: its path is hot.)"""
    return len(piece) > 1 and lone[piece[1]] == len(piece) and piece[0] in WHOLE_MESSAGES


def is_control(piece: bytes) -> bool:
    """True if `piece` is one whole control frame, masked or not."""
    if len(piece) < 2 or not piece[0] & 0x8:
        return False
    return len(piece) == (piece[1] & 0x7F) + (6 if piece[1] & 0x80 else 2)


class FrameTracker:
    """Follows frame boundaries in one direction of a relayed stream; reads headers, never payloads.

    `masked`: True if frames must be masked (from a client), False if they must not (from a server). `feed` returns
    the bytes of a piece that may be passed on. It holds back an incomplete header, so that a bad frame is never begun,
    and a close frame from its first byte on: the relay passes `close` on once it is whole, or acts on it. Behind a
    close frame, and from a violation on, the stream is `over`: earlier bytes are passed on, the rest is dropped
    (`protocol.closing`).

    A relay may pass a piece on without `feed` if `is_lone(piece, tracker.lone)` is true: it does not change the state.
    That is the common case, a short whole message in one piece, while no message, frame or close is under way.

    Invariant: between calls either `_left` payload bytes of a frame are outstanding and `_held` is empty, or
    `_held` holds the beginning of the next frame.
    """

    __slots__ = (
        "_fragmented", "_held", "_left", "_lone", "_mask_bit", "_mask_bytes", "_rsv", "breach", "close", "lone", "over",
    )  # fmt: skip

    def __init__(self, *, masked: bool, extensions: bool = False) -> None:
        self._mask_bit = 0x80 if masked else 0
        self._mask_bytes = 4 if masked else 0
        self._rsv = 0 if extensions else 0x70  # reserved bits belong to extensions
        self._left = 0
        self._held = b""
        self._fragmented = False
        self._lone = LONE_MASKED if masked else LONE_PLAIN
        self.lone = self._lone
        """By second byte, the size of a lone frame that does not change the state; -1 if there is no such frame."""
        self.close: bytes | None = None
        """The received close frame, with header and mask, once it is whole."""
        self.breach: ProtocolError | None = None
        """The rule that was broken; None if no rule was broken."""
        self.over = False
        """True if a whole close frame has come, or a rule was broken: later bytes do not count."""

    @property
    def at_boundary(self) -> bool:
        """True if a control frame may be inserted here: no frame is half passed on."""
        return not self._left

    @property
    def between_messages(self) -> bool:
        """True if a different stream may continue from here: no frame and no message is half passed on."""
        return not (self._fragmented or self._left)

    def feed(self, data: bytes) -> bytes:
        """Follow `data`, the next bytes of the stream; return the bytes that may be passed on now."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return data
        return data if is_lone(data, self.lone) else self._follow(data)

    def feed_message(self, data: bytes) -> tuple[bytes, bytes]:
        """Follow `data` up to the end of the message that is half passed on; return these bytes, and the bytes behind.

        The bytes behind were not read. If `between_messages` does not hold afterwards, the message goes on, and all of
        `data` was followed as `feed` does.
        """
        if self.between_messages:
            return b"", data
        passed = self._follow(data, one=True)
        if not self.between_messages or self.over:
            return passed, b""
        behind, self._held, self.lone = self._held, b"", self._lone
        return passed, behind

    def _follow(self, data: bytes, one: bool = False) -> bytes:
        """Follow `data` frame by frame in local variables, and store the state only at the end.

        With `one`, follow no further than the end of the message under way, and hold the rest; a message that is not
        fragmented ends with its frame.
        """
        if self.over:
            return b""
        if self._held:
            data = self._held + data
        pos = self._left
        size = len(data)
        fragmented = self._fragmented
        try:
            while pos < size and not (one and pos and not fragmented):
                end = self._frame(data, pos, size)
                if end < 0:
                    break
                first = data[pos]
                if fragmented or (first != 0x81 and first != 0x82):
                    fragmented = self._check_first(first, end, data, pos, fragmented)
                    if first & 0x0F == CLOSE:
                        if end <= size:
                            self.close = data[pos:end]
                        break
                pos = end
        except ProtocolError as error:
            self.breach = error
        self._fragmented = fragmented
        if self.close is not None or self.breach is not None:
            self._left, self._held, self.lone, self.over = 0, b"", LONE_NEVER, True
            return data[:pos]
        left = self._left = pos - size if pos > size else 0
        held = self._held = data[pos:]
        self.lone = LONE_NEVER if fragmented or left or held else self._lone
        return data[:pos] if held else data

    def _frame(self, data: bytes, pos: int, size: int) -> int:
        """Return the end of the frame whose header is at `pos`, or -1 if that header is not whole yet."""
        if size - pos < 2:
            return -1
        second = data[pos + 1]
        if second & 0x80 != self._mask_bit:
            raise ProtocolError(PROTOCOL_ERROR, "a client's frame is not masked, or a server's is")
        length = second & 0x7F
        start = pos + 2 + self._mask_bytes
        if length == 126:
            start += 2
            if start > size:
                return -1
            length = data[pos + 2] << 8 | data[pos + 3]
        elif length == 127:
            start += 8
            if start > size:
                return -1
            length = int.from_bytes(data[pos + 2 : pos + 10], "big")
            if length >> 63:
                raise ProtocolError(PROTOCOL_ERROR, "a frame's length has its highest bit set")
        elif start > size:
            return -1
        return start + length

    def _check_first(self, first: int, end: int, data: bytes, pos: int, fragmented: bool) -> bool:
        """Check the first byte of the frame in `data[pos:end]`; return True if a message is unfinished after it."""
        opcode = first & 0x0F
        if opcode not in _OPCODES:
            raise ProtocolError(PROTOCOL_ERROR, f"the opcode {opcode:#x} is reserved")
        if first & self._rsv:
            raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed")
        if opcode & 0x8:
            if not first & 0x80 or data[pos + 1] & 0x7F > 125:
                raise ProtocolError(PROTOCOL_ERROR, "a control frame is fragmented or longer than 125 bytes")
            return fragmented
        if (opcode == CONTINUATION) != fragmented:
            raise ProtocolError(PROTOCOL_ERROR, "a message begins within another, or continues none")
        return not first & 0x80


def close_of(frame: bytes) -> tuple[int, str]:
    """Return code and reason of a whole close frame, masked or not (see `FrameTracker.close`), as `read_close` does."""
    return read_close(_payload_of(frame))


def beginning_of(piece: bytes, limit: int) -> tuple[int, bytes]:
    """Return the opcode of the masked frame at the start of `piece`, and up to `limit` bytes of its payload.

    Less of the payload if `piece` ends before; an opcode of -1 if it has not the whole header.
    """
    if len(piece) < 2:
        return -1, b""
    length = piece[1] & 0x7F
    start = 2 + (length == 126 and 2) + (length == 127 and 8)
    if len(piece) < start + 4:
        return -1, b""
    if length > 125:
        length = int.from_bytes(piece[2:start], "big")
    mask, payload = piece[start : start + 4], piece[start + 4 : start + 4 + min(length, limit)]
    return piece[0] & 0x0F, bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def close_answer(frame: bytes) -> bytes:
    """Return the payload of the answer to the close frame `frame`: the same payload, or 1002 if that is wrong."""
    payload = _payload_of(frame)
    try:
        read_close(payload)
    except ProtocolError as error:
        return close_payload(error.close_code)
    return payload


def _payload_of(frame: bytes) -> bytes:
    if not frame[1] & 0x80:
        return frame[2:]
    mask = frame[2:6]
    return bytes(byte ^ mask[i & 3] for i, byte in enumerate(frame[6:]))
