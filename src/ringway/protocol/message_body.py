"""Bodies of HTTP/1.1 messages, cut out of a stream: by their length, in chunks, or up to the end of the connection.

Chunks are read strictly (RFC 9112, 7.1): sizes are hexadecimal digits and nothing else, lines end in CR and LF, and the
CR and LF after the data of a chunk are checked. Extensions are read over and bounded, trailers are dropped and bounded.
"""

import re
from typing import Protocol

from ringway.errors import BodyError
from ringway.protocol.message_head import CHUNKED, FIELD, UNTIL_CLOSE

LINE_BYTES_MAX = 256
"""The longest line with the size of a chunk and its extensions."""

EXTENSION_BYTES_MAX = 8192
"""The size of all extensions of one body."""

TRAILER_BYTES_MAX = 8192
"""The size of all trailers of one body."""

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a body in chunks."""

_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,15}+)"
    rb"((?:[ \t]*+;[ \t]*+[!#$%&'*+.^_`|~0-9A-Za-z-]++"
    rb"(?:[ \t]*+=[ \t]*+(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++|\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+\"))?+)*+)"
)


class MessageBody(Protocol):
    """The body of one message. Once `is_over`, `feed_body` must not be called any more."""

    is_over: bool

    def feed_body(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in the next bytes of the stream, and the bytes after the body.

        Raise `BodyError` if the body is malformed.
        """


class SizedBody:
    """A body of `length` bytes."""

    __slots__ = ("_left", "is_over")

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_over = length == 0

    def feed_body(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in the next bytes of the stream, and the bytes after the body."""
        left = self._left = self._left - len(data)
        if left > 0:
            return data, b""
        self.is_over = True
        return (data, b"") if left == 0 else (data[:left], data[left:])


class EndlessBody:
    """A body that ends with its connection."""

    is_over = False

    def feed_body(self, data: bytes) -> tuple[bytes, bytes]:
        """Return all bytes: they are content."""
        return data, b""


class ChunkedBody:
    """A body in chunks."""

    __slots__ = ("_extensions", "_held", "_left", "_trailers", "is_over")

    def __init__(self) -> None:
        self._held = b""  # the beginning of a line
        self._left = 0  # bytes that the chunk under way still has, with its CR and LF; 0: a line comes
        self._extensions = 0
        self._trailers = -1  # bytes of trailers; -1: the last chunk has not come
        self.is_over = False

    def feed_body(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in the next bytes of the stream, and the bytes after the body.

        Raise `BodyError` if it is malformed.
        """
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size:
            if self._trailers >= 0:
                at = self._read_trailer(data, at)
                if self.is_over:
                    return b"".join(pieces), data[at:]
            elif self._left:
                at = self._read_content(data, at, pieces)
            else:
                at = self._read_size(data, at)
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), b""

    def _read_content(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Read on in the chunk under way; return the position after it."""
        end = min(at + self._left, len(data))
        content = self._left - 2
        if content > 0:
            pieces.append(data[at : min(at + content, end)])
        for place in range(max(at, at + content), end):
            if data[place] != (13 if at + self._left - place == 2 else 10):
                raise BodyError("a chunk of the body is longer than it says")
        self._left -= end - at
        return end

    def _read_size(self, data: bytes, at: int) -> int:
        line, after = self._read_line(data, at, LINE_BYTES_MAX, "the line with the size of a chunk")
        if line is None:
            return after
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BodyError("the size of a chunk is no hexadecimal number")
        self._extensions += len(found[2])
        if self._extensions > EXTENSION_BYTES_MAX:
            raise BodyError(f"a body has more than {EXTENSION_BYTES_MAX} bytes of chunk extensions")
        length = int(found[1], 16)
        if length:
            self._left = length + 2
        else:
            self._trailers = 0
        return after

    def _read_trailer(self, data: bytes, at: int) -> int:
        line, after = self._read_line(data, at, TRAILER_BYTES_MAX - self._trailers, "the trailers of a body")
        if line is None:
            return after
        if not line:
            self.is_over = True
        elif FIELD.fullmatch(line.decode("latin-1") + "\r\n") is None:
            raise BodyError("a trailer of the body is no field")
        self._trailers += len(line) + 2
        return after

    def _read_line(self, data: bytes, at: int, size_max: int, what: str) -> tuple[bytes | None, int]:
        """Return the line at `at` and the position after it; None if its end has not come."""
        end = data.find(b"\n", at, at + size_max + 2)
        if end < 0:
            if len(data) - at > size_max:
                raise BodyError(f"{what} is longer than {max(0, size_max)} bytes")
            self._held = data[at:]
            return None, len(data)
        if end == at or data[end - 1] != 13:
            raise BodyError(f"{what} ends in a bare LF")
        return data[at : end - 1], end + 1


def body_of(length: int) -> MessageBody:
    """Return the reader of a body of `length` bytes, `CHUNKED`, or `UNTIL_CLOSE`."""
    if length == CHUNKED:
        return ChunkedBody()
    return EndlessBody() if length == UNTIL_CLOSE else SizedBody(length)


def as_chunk(content: bytes) -> bytes:
    """Return `content`, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(content), content)
