import json

import pytest

from ringway.engine.nats import command


def test_connect_says_who_we_are_in_json() -> None:
    line = command.connect({"user": "ü", "verbose": False})
    assert line.startswith(b"CONNECT {")
    assert line.endswith(b"}\r\n")
    assert line.count(b"\n") == 1
    assert json.loads(line.removeprefix(b"CONNECT ")) == {"user": "ü", "verbose": False}


@pytest.mark.parametrize(
    ("reply", "header", "expected"),
    [
        ("", b"", b"PUB a.b  3\r\nx\r\n\r\n"),
        ("in.1", b"", b"PUB a.b in.1 3\r\nx\r\n\r\n"),
        ("", b"NATS/1.0\r\n\r\n", b"HPUB a.b  12 15\r\nNATS/1.0\r\n\r\nx\r\n\r\n"),
        ("in.1", b"NATS/1.0\r\n\r\n", b"HPUB a.b in.1 12 15\r\nNATS/1.0\r\n\r\nx\r\n\r\n"),
    ],
)
def test_a_payload_goes_out_byte_by_byte_behind_its_size(reply: str, header: bytes, expected: bytes) -> None:
    assert command.publish("a.b", b"x\r\n", reply, header) == expected


def test_subscriptions_begin_and_end() -> None:
    assert command.subscribe("a.*", "", 7) == b"SUB a.*  7\r\n"
    assert command.subscribe("a.*", "workers", 7) == b"SUB a.* workers 7\r\n"
    assert command.unsubscribe(7) == b"UNSUB 7\r\n"
