"""Heads from bytes, however they come."""

import pytest

from ringway.protocol.head import HeadReader
from ringway.protocol.proxy_header import SIGNATURE

ONE = b"GET /gateway?key=a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\r\n"


def test_one_head_in_any_two_pieces() -> None:
    for cut in range(len(ONE) + 1):
        reader = HeadReader()
        heads = [head for piece in (ONE[:cut], ONE[cut:]) if piece for head in reader.feed(piece)]
        assert reader.problem is None
        assert [(head.method, head.path, head.query, head.version) for head in heads] == [
            ("GET", "/gateway", "key=a", "1.1")
        ]
        assert heads[0].headers == [("host", "x"), ("x-a", "1")]
        assert heads[0].keep_alive
        assert not reader.partial


def test_several_heads_in_one_piece() -> None:
    reader = HeadReader()
    heads = reader.feed(ONE * 3 + ONE[:10])
    assert len(heads) == 3
    assert reader.partial
    assert len(reader.feed(ONE[10:])) == 1


def test_what_follows_an_upgrade_is_not_http() -> None:
    reader = HeadReader()
    upgrade = ONE.replace(b"X-A: 1", b"Upgrade: websocket\r\nConnection: Upgrade")
    heads = reader.feed(ONE + upgrade + b"\x81\x85early")
    assert len(heads) == 2
    assert reader.rest == b"\x81\x85early"


@pytest.mark.parametrize(
    "header",
    [
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
        b"Upgrade: TLS/1.0\r\nConnection: Upgrade",
        b"Connection: Upgrade\r\nUpgrade: h2c, foo/2",
    ],
    ids=["h2c", "TLS", "several"],
)
def test_a_request_for_another_protocol_is_ignored(header: bytes) -> None:
    data = ONE.replace(b"X-A: 1", header) + ONE
    for size in (len(data), 1, 7):
        reader = HeadReader()
        heads = [head for start in range(0, len(data), size) for head in reader.feed(data[start : start + size])]
        assert (reader.problem, reader.rest) == (None, None)
        assert [head.path for head in heads] == ["/gateway", "/gateway"]
        assert all(head.keep_alive for head in heads)


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://a.example/healthz", "a.example", "/healthz", ""),
        (b"HTTP://a.example:8000/x?y=1", "a.example:8000", "/x", "y=1"),
        (b"https://a.example", "a.example", "/", ""),
        (b"http://a.example?y=http://b/", "a.example", "/", "y=http://b/"),
        (b"ws://[::1]:8000/x", "[::1]:8000", "/x", ""),
    ],
)
def test_a_target_may_name_the_server_and_then_its_host_counts(target: bytes, host: str, path: str, query: str) -> None:
    (head,) = HeadReader().feed(ONE.replace(b"/gateway?key=a", target))
    assert (head.path, head.query) == (path, query)
    assert [value for name, value in head.headers if name == "host"] == [host]


def test_bounds_can_be_set() -> None:
    big = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 17_000 + b"\r\n" + b"X: y\r\n" * 70 + b"\r\n"
    assert len(HeadReader(32 * 1024, 100).feed(big)) == 1
    small = HeadReader(1024, 100)
    small.feed(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1100)
    assert small.problem is not None
    assert "1024 bytes (head_bytes_max)" in str(small.problem)


def test_the_method_under_way_is_known_for_the_answer() -> None:
    reader = HeadReader()
    reader.feed(b"HEAD / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000)
    assert (reader.problem is not None, reader.method) == (True, "HEAD")
    assert HeadReader().method == ""


def test_the_end_of_keep_alive() -> None:
    reader = HeadReader()
    assert not reader.feed(ONE.replace(b"X-A: 1", b"Connection: close"))[0].keep_alive
    assert not HeadReader().feed(ONE.replace(b"HTTP/1.1", b"HTTP/1.0"))[0].keep_alive


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 17000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 17000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 65 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (ONE.replace(b"X-A: 1", b"Content-Length: 1"), 400),
        (ONE.replace(b"X-A: 1", b"Host: y"), 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", 405),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 405),
        (ONE.replace(b"Host: x", b"Host: a b"), 400),
        (ONE.replace(b"Host: x", b"Host: u@h"), 400),
        (ONE.replace(b"Host: x", b"Host: a/b"), 400),
        (ONE.replace(b"/gateway", b"ftp://a.example/"), 400),
        (ONE.replace(b"/gateway", b"http:///x"), 400),
        (ONE.replace(b"/gateway", b"http://u@h/x"), 400),
        (ONE.replace(b"/gateway?key=a", b"http://h/x#y"), 400),
        (ONE.replace(b"/gateway?key=a", b"*"), 400),
        (ONE.replace(b"GET /gateway?key=a", b"CONNECT h:80"), 400),
        (ONE.replace(b"/gateway", b"http://a.example/").replace(b"Host: x\r\n", b""), 400),
        (ONE.replace(b"1.1", b"2.0"), 505),
        (ONE.replace(b"1.1", b"1.9"), 505),
        (b"GET /\r\n\r\n", 505),
        (b"BREW / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_problems_have_a_status(data: bytes, status: int) -> None:
    for size in (len(data), 7):
        reader = HeadReader()
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
            if reader.problem is not None:
                break
        assert reader.problem is not None
        assert reader.problem.status == status


def test_a_problem_after_good_heads_leaves_them() -> None:
    reader = HeadReader()
    assert len(reader.feed(ONE + b"\x00\x00")) == 1
    assert reader.problem is not None


def test_many_small_heads_have_no_bound_together() -> None:
    reader = HeadReader()
    assert len(reader.feed(ONE * 1000)) == 1000
    assert reader.problem is None


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n", SIGNATURE + b"\x20\x00\x00\x00"], ids=["v1", "v2"]
)
def test_a_proxy_header_that_is_not_asked_for_is_called_so(header: bytes) -> None:
    reader = HeadReader()
    assert reader.feed(header + ONE) == []
    assert reader.problem is not None
    assert reader.problem.status == 400
    assert "list the address in trusted_proxies" in str(reader.problem)


def test_a_second_proxy_header_is_no_request() -> None:
    reader = HeadReader(proxied=True)
    assert reader.feed(b"PROXY UNKNOWN\r\n" * 2 + ONE) == []
    assert "does not begin with a method of HTTP" in str(reader.problem)
