import json

import msgspec
import pytest

from ringway.errors import CommandError, ProtocolError
from ringway.protocol.codec import (
    EMPTY,
    decode_commands,
    decode_replies,
    encode,
    encode_commands,
    encode_error,
    encode_pushes,
)
from ringway.protocol.command import ClientInfo, ConnectResult, RawPublication, Reply, Unreadable


def test_a_frame_holds_commands_line_by_line() -> None:
    commands = decode_commands(b'{"id":1,"connect":{}}\n\n{"id":2,"subscribe":{"channel":"c"}}\n{}')
    assert [command.id for command in commands] == [1, 2, 0]
    assert [command.method() for command in commands] == ["connect", "subscribe", None]
    assert decode_commands(b"") == []


@pytest.mark.parametrize(
    "raw",
    [
        b"x",
        b"{",
        b"[]",
        b'{"id":1}{"id":2}',
        b'{"id":"1"}',
        b'{"id":1.5}',
        b'{"id":true,"publish":{"channel":1}}',
        b'{"id":0,"publish":{"channel":1}}',
        b'{"id":4294967296,"publish":{"channel":1}}',
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"id":1,"publish":{"channel":"c","data":tru}}',
        b'{"id":1,"publish":{"channel":"c","data":"\\x"}}',
        b'{"id":1,"publish":{"channel":"c","data":NaN}}',
        b'{"id":1,"publish":{"channel":"c","data":' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
    ],
    ids=lambda raw: raw[:32].decode(),
)
def test_a_line_that_is_no_json_or_has_no_id_is_unreadable_without_an_id(raw: bytes) -> None:
    before, unreadable, behind = decode_commands(b'{"id":7,"ping":{}}\n' + raw + b'\n{"id":8,"ping":{}}')
    assert isinstance(unreadable, Unreadable)
    assert unreadable.id == 0
    assert unreadable.why.startswith("a command cannot be read: ")
    assert (before.id, behind.id) == (7, 8)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"id":3,"publish":{"channel":1}}', "Expected `str`, got `int` - at `$.publish.channel`"),
        (b'{"id":3,"subscribe":[]}', "Expected `object | null`, got `array` - at `$.subscribe`"),
        (b'{"id":3,"publish":{"channel":"room","data":{"text":"hi \\ud83d"}}}', "half of a surrogate pair"),
        (b'{"id":3,"publish":{"channel":"room","data":"\\ude00 \\ud83d\\ude00"}}', "half of a surrogate pair"),
        (b'{"id":3,"publish":{"channel":"\\udfff"}}', "half of a surrogate pair"),
        (b'{"id":3,"x":{"\\ud800":1}}', "half of a surrogate pair"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_line_of_json_that_breaks_a_rule_keeps_its_id(raw: bytes, why: str) -> None:
    [unreadable] = decode_commands(raw)
    assert isinstance(unreadable, Unreadable)
    assert unreadable.id == 3
    assert unreadable.method() is None
    assert why in unreadable.why
    assert unreadable.why.encode()
    assert encode_commands(decode_commands(b'{"id":4,"ping":{}}\n' + raw)) == b'{"id":4,"ping":{}}\n' + raw


def test_text_in_any_language_is_read() -> None:
    raw = b'{"id":3,"publish":{"channel":"c","data":"\\ud83d\\ude00 \\u0000 \xf0\x9f\x98\x80"}}'
    [command] = decode_commands(raw)
    assert command.publish is not None


@pytest.mark.parametrize("raw", [b'{"id":[]}', b'{"x":' * 30_000], ids=["id", "deep"])
def test_a_reply_that_cannot_be_read_breaks_the_protocol(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_replies(raw)


def test_errors_travel_with_their_message_and_whether_to_retry() -> None:
    reply = encode_error(7, CommandError(100, "the engine is away: really", temporary=True))
    assert json.loads(reply) == {
        "id": 7,
        "error": {"code": 100, "message": "the engine is away: really", "temporary": True},
    }
    assert decode_replies(reply)[0].error is not None


def test_pushes_of_one_channel_share_a_frame() -> None:
    publications = [
        encode(RawPublication(data=msgspec.Raw(b'{"n":%d}' % n), info=ClientInfo(user="", client="x")))
        for n in range(3)
    ]
    for count in (1, 3):
        replies = decode_replies(encode_pushes('a "quoted" ü', publications[:count]))
        assert len(replies) == count
        for n, reply in enumerate(replies):
            assert reply.push is not None
            assert reply.push.pub is not None
            assert reply.push.channel == 'a "quoted" ü'
            assert bytes(reply.push.pub.data) == b'{"n":%d}' % n
            assert reply.push.pub.info == ClientInfo(user="", client="x")


def test_zero_values_are_left_out() -> None:
    assert encode(Reply(id=1, connect=ConnectResult(client="c", ping=25, pong=True))) == (
        b'{"id":1,"connect":{"client":"c","ping":25,"pong":true}}'
    )
    assert encode(Reply(id=2, publish=EMPTY)) == b'{"id":2,"publish":{}}'
    assert encode(Reply()) == b"{}"
