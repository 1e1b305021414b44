import json

import msgspec
import pytest

from ringway.errors import CommandError, ProtocolError
from ringway.protocol.codec import EMPTY, decode_commands, decode_replies, encode, encode_error, encode_pushes
from ringway.protocol.command import ClientInfo, ConnectResult, Publication, Reply


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
        b'{"id":1}{"id":2}',
        b'{"id":"1"}',
        b'{"id":1.5}',
        b'{"id":1,"publish":{"channel":1}}',
        b'{"id":1,"publish":{"channel":"c","data":tru}}',
        b'{"id":1,"publish":{"channel":"c","data":"\\x"}}',
        b'{"id":1,"publish":{"channel":"c","data":NaN}}',
        b'{"id":1,"publish":{"channel":"c","data":' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
    ],
)
def test_what_cannot_be_read_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_commands(raw)
    assert caught.value.close_code == 3501
    with pytest.raises(ProtocolError):
        decode_replies(b'{"id":[]}')
    with pytest.raises(ProtocolError):
        decode_replies(b'{"x":' * 30_000)


def test_errors_travel_with_their_message_and_whether_to_retry() -> None:
    reply = encode_error(7, CommandError(100, "the engine is away: really", temporary=True))
    assert json.loads(reply) == {
        "id": 7,
        "error": {"code": 100, "message": "the engine is away: really", "temporary": True},
    }
    assert decode_replies(reply)[0].error is not None


def test_pushes_of_one_channel_share_a_frame() -> None:
    publications = [
        encode(Publication(data=msgspec.Raw(b'{"n":%d}' % n), info=ClientInfo(user="", client="x"))) for n in range(3)
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
