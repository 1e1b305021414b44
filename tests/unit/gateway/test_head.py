"""Heads from bytes, however they come."""

import pytest

from ringway.gateway.head import HeadReader

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
