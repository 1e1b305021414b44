"""Heads of messages with bodies: what is read, and the length that follows. Hostile forms are in
tests/integration/gateway/test_http_hostile.py."""

import pytest

from ringway.errors import UpgradeError
from ringway.protocol.message_head import (
    CHUNKED,
    UNTIL_CLOSE,
    check_partial,
    read_answer_head,
    read_request_head,
    refuse_body,
)

HEAD = b"POST /a/b?c=d HTTP/1.1\r\nHost: X:80\r\nX-A:\t one \r\nx-a: two\r\n"


def refused(block: bytes) -> tuple[int, str]:
    with pytest.raises(UpgradeError) as caught:
        read_request_head(block, 64)
    return caught.value.status, str(caught.value)


def test_a_head_is_read_with_its_names_in_lower_case_and_its_values_stripped() -> None:
    head, length = read_request_head(HEAD + b"Content-Length: 5\r\n", 64)
    assert (head.method, head.path, head.query, head.version, length) == ("POST", "/a/b", "c=d", "1.1", 5)
    assert head.headers == [("host", "X:80"), ("x-a", "one"), ("x-a", "two"), ("content-length", "5")]
    assert head.keep_alive


@pytest.mark.parametrize(
    ("fields", "length"), [(b"", 0), (b"Content-Length: 0\r\n", 0), (b"Transfer-Encoding: Chunked\r\n", CHUNKED)]
)
def test_the_length_of_a_request(fields: bytes, length: int) -> None:
    assert read_request_head(HEAD + fields, 64)[1] == length


@pytest.mark.parametrize(
    ("fields", "keeps"),
    [(b"Connection: keep-alive\r\n", True), (b"Connection: x, Close\r\n", False),
     (b"Connection: x\r\nConnection: close\r\n", False), (b"Connection: closed\r\n", True)],
)  # fmt: skip
def test_a_connection_goes_on_unless_it_is_said_to_close(fields: bytes, keeps: bool) -> None:
    assert read_request_head(HEAD + fields, 64)[0].keep_alive is keeps
    assert read_answer_head(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields, 64, "GET").keep_alive is keeps


def test_a_target_may_name_the_server() -> None:
    head, _ = read_request_head(b"GET http://a.b:1/c?d HTTP/1.1\r\nHost: other\r\n", 64)
    assert (head.path, head.query, head.headers) == ("/c", "d", [("host", "a.b:1")])


def test_http_1_0_needs_no_host_and_ends_with_its_answer() -> None:
    head, _ = read_request_head(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", 64)
    assert (head.version, head.keep_alive) == ("1.0", False)


@pytest.mark.parametrize(
    ("block", "status", "said"),
    [
        (b"GET / HTTP/1.1\r\n", 400, "the Host header is missing"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n", 400, "no name"),
        (b"GET /#a HTTP/1.1\r\nHost: a\r\n", 400, "fragment"),
        (b"GET / HTTP/1.9\r\nHost: a\r\n", 505, "HTTP/1.1"),
        (b"GET /\r\n", 505, "HTTP/1.1"),
        (b"\x16\x03\x01\r\n", 400, "does not begin with a method"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400, "a length and chunks"),
        (HEAD + b"Content-Length: 1e1\r\n", 400, "no number of bytes"),
        (HEAD + b"Transfer-Encoding: gzip\r\n", 501, "chunked"),
        (HEAD + b"A: b\r\n" * 62, 431, "64 headers"),
        (HEAD + b"a b\r\n", 400, "a line is no field"),
    ],
)
def test_wrong_heads_are_refused(block: bytes, status: int, said: str) -> None:
    got, text = refused(block)
    assert got == status
    assert said in text


@pytest.mark.parametrize(
    ("data", "seen", "good"),
    [(b"GET / HT", 0, True), (b"\r", 0, True), (b"GET /\r", 0, True), (b"GET /\r\n", 6, True), (b"GET /\n", 5, False),
     (b"GET /\rX", 6, False), (b"GET /\0", 0, False), (b"\x16\x03", 0, False), (b" GET", 0, False)],
)  # fmt: skip
def test_a_part_of_a_head_is_refused_as_soon_as_it_can_be_none(data: bytes, seen: int, good: bool) -> None:
    if good:
        check_partial(data, seen)
    else:
        with pytest.raises(UpgradeError):
            check_partial(data, seen)


@pytest.mark.parametrize(
    ("status", "method", "fields", "length", "keeps"),
    [
        ("200 OK", "GET", "Content-Length: 3\r\n", 3, True),
        ("200 OK", "GET", "Transfer-Encoding: chunked\r\n", CHUNKED, True),
        ("200 OK", "GET", "", UNTIL_CLOSE, False),
        ("200", "GET", "Content-Length: 3\r\n", 3, True),
        ("200 OK", "HEAD", "Content-Length: 3\r\n", 0, True),
        ("200 OK", "HEAD", "Transfer-Encoding: chunked\r\n", 0, True),
        ("204 No Content", "GET", "Content-Length: 3\r\n", 0, True),
        ("304 Not Modified", "GET", "", 0, True),
        ("103 Early Hints", "GET", "", 0, True),
    ],
)
def test_the_length_of_an_answer(status: str, method: str, fields: str, length: int, keeps: bool) -> None:
    answer = read_answer_head(f"HTTP/1.1 {status}\r\n{fields}".encode(), 64, method)
    assert (answer.length, answer.keep_alive) == (length, keeps)


def test_where_no_body_is_taken_the_refusal_says_what_is() -> None:
    assert (refuse_body("POST").status, refuse_body("GET").status) == (405, 400)
