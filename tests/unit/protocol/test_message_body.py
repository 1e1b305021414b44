"""Bodies of messages, cut out of a stream. Hostile forms are in tests/integration/gateway/test_http_hostile.py."""

import pytest

from ringway.errors import BodyError
from ringway.protocol.message_body import (
    EXTENSION_BYTES_MAX,
    LAST_CHUNK,
    TRAILER_BYTES_MAX,
    ChunkedBody,
    EndlessBody,
    SizedBody,
    as_chunk,
    body_of,
)
from ringway.protocol.message_head import CHUNKED, UNTIL_CLOSE

WHOLE = b'5;a=b;c="d;\\"e"\r\nhello\r\n0A\r\n0123456789\r\n000\r\nX-T: y\r\n\r\n'
NEXT = b"GET /next HTTP/1.1\r\n"


def read(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    body, content, rest = ChunkedBody(), b"", b""
    for piece in pieces:
        if body.is_over:
            rest += piece
        elif piece:
            more, rest = body.feed_body(piece)
            content += more
    return content, rest, body.is_over


@pytest.mark.parametrize("cut", range(len(WHOLE + NEXT) + 1))
def test_chunks_in_any_two_pieces(cut: int) -> None:
    stream = WHOLE + NEXT
    assert read([stream[:cut], stream[cut:]]) == (b"hello0123456789", NEXT, True)


def test_chunks_byte_by_byte() -> None:
    assert read([bytes((byte,)) for byte in WHOLE]) == (b"hello0123456789", b"", True)


def test_a_body_of_a_length_ends_there() -> None:
    body = SizedBody(5)
    assert body.feed_body(b"abc") == (b"abc", b"")
    assert not body.is_over
    assert body.feed_body(b"deGET") == (b"de", b"GET")
    assert body.is_over
    assert SizedBody(0).is_over


def test_each_length_has_its_reader() -> None:
    assert isinstance(body_of(CHUNKED), ChunkedBody)
    assert isinstance(body_of(UNTIL_CLOSE), EndlessBody)
    assert isinstance(body_of(3), SizedBody)
    assert EndlessBody().feed_body(b"a") == (b"a", b"")


def test_what_is_written_in_chunks_is_read_again() -> None:
    assert read([as_chunk(b"x" * 1000), as_chunk(b"y"), LAST_CHUNK + NEXT]) == (b"x" * 1000 + b"y", NEXT, True)


@pytest.mark.parametrize(
    "stream",
    [b"5;a=" + b"b" * 300, b"1;a\r\nx\r\n" * (EXTENSION_BYTES_MAX // 2 + 1),
     b"0\r\n" + b"X: y\r\n" * (TRAILER_BYTES_MAX // 6 + 1), b"0\r\nX: " + b"y" * TRAILER_BYTES_MAX],
    ids=["line", "extensions", "trailers", "trailer"],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 1 << 20], ids=["byte by byte", "at once"])
def test_all_that_is_not_content_is_bounded(stream: bytes, size: int) -> None:
    with pytest.raises(BodyError):
        read([stream[at : at + size] for at in range(0, len(stream), size)])
