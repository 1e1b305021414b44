"""Decoders of data from outside refuse unreadable data with `ProtocolError`, and with no other error."""

from collections.abc import Callable

import msgspec
import pytest

from ringway.client.answer import read_history
from ringway.client.subscription import Publication
from ringway.collect.collector import CollectFailed
from ringway.collect.document import number_at
from ringway.core.session import decode_session
from ringway.errors import ProtocolError
from ringway.protocol import control, handover, order, presence
from ringway.protocol.beat import decode_beat
from ringway.protocol.codec import decode_replies
from ringway.protocol.command import HistoryResult
from ringway.protocol.report import decode_introduction
from ringway.types import Channel

JSON: dict[str, Callable[[bytes], object]] = {
    "node request": order.decode_node_request,
    "node answer": order.decode_node_answer,
    "balancer request": order.decode_balancer_request,
    "drain answer": order.decode_drain_answer,
    "plan answer": order.decode_plan_answer,
    "gateway request": control.decode_gateway_request,
    "gateway answer": control.decode_gateway_answer,
    "presence question": presence.decode_question,
    "presence answer": presence.decode_answer,
    "replies": decode_replies,
}
PACKED: dict[str, Callable[[bytes], object]] = {
    "introduction": decode_introduction,
    "beat": decode_beat,
    "session request": handover.decode_request,
    "session answer": handover.decode_answer,
    "session": decode_session,
}
DEEP = 100_000

BAD_JSON = {
    "text that is no UTF-8": b'{"type":"\xff","channel":"\xff","why":"\xff","users":["\xff"],"id":"\xff"}',
    "key that is no UTF-8": b'{"type":"move","taken":{"\xff":1},"clients":{"\xff":{}},"load":{"\xff":1},"id":"\xff"}',
    "nested too deep": b'{"deep":' * DEEP,
    "lists too deep": b"[" * DEEP,
    "deep in a map": b'{"type":"move","clients":{"a":' + b'{"a":' * DEEP,
    "number out of range": b'{"seq":1e999,"fence":1e999,"count":1e999,"id":1e999}',
    "number of 5000 digits": b'{"seq":%b,"count":%b,"id":%b}' % ((b"1" * 5000,) * 3),
    "not a number": b'{"type":NaN}',
    "half a surrogate": b'{"type":"\\ud83d"}',
    "nothing": b"[]",
    "a byte": b"\xff",
}
BAD_PACKED = {
    "text that is no UTF-8": b"\x92\xa7abandon\xa1\xff",
    "tag that is no UTF-8": b"\x92\xa1\xff\xa1x",
    "nested too deep": b"\x91" * DEEP,
    "version nested too deep": b"\x92" + b"\x91" * DEEP,
    "version that is no UTF-8": b"\x92\xa1\xff\x01",
    "a list longer than its bytes": b"\xdd\xff\xff\xff\xff",
    "an unknown byte": b"\xc1",
    "nothing": b"",
}


@pytest.mark.parametrize("bad", BAD_JSON.values(), ids=BAD_JSON)
@pytest.mark.parametrize("decode", JSON.values(), ids=JSON)
def test_json_that_cannot_be_read_is_a_breach_and_no_fault_of_ours(
    decode: Callable[[bytes], object], bad: bytes
) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        decode(bad)


@pytest.mark.parametrize("bad", BAD_PACKED.values(), ids=BAD_PACKED)
@pytest.mark.parametrize("decode", PACKED.values(), ids=PACKED)
def test_messagepack_that_cannot_be_read_is_a_breach_and_no_fault_of_ours(
    decode: Callable[[bytes], object], bad: bytes
) -> None:
    with pytest.raises(ProtocolError):
        decode(bad)


@pytest.mark.parametrize("times", [(float("nan"), 1.0), (1.0, float("nan")), (float("inf"), 1.0), (1.0, -1.0)], ids=str)
def test_a_session_with_times_that_are_none_is_refused(times: tuple[float, float]) -> None:
    raw = msgspec.msgpack.encode([1, "client", "", b"", *times, [], [], []])
    with pytest.raises(ProtocolError, match="must be times"):
        decode_session(raw)


def test_a_client_reads_half_an_emoji_as_python_reads_it() -> None:
    assert Publication(Channel("c"), msgspec.Raw(b'{"text":"hi \\ud83d"}')).data == {"text": "hi \ud83d"}


@pytest.mark.parametrize("raw", [b"[" * DEEP, b'"\xff"', b'{"a":' * DEEP], ids=["lists", "no UTF-8", "objects"])
def test_a_client_tells_data_that_it_cannot_hold(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="the data of a publication cannot be read"):
        _ = Publication(Channel("c"), msgspec.Raw(raw)).data


@pytest.mark.parametrize(
    "raw", [b'{"data":1,"info":{"user":"\xff"}}', b'{"offset":"x"}', b"["], ids=["no UTF-8", "type", "cut"]
)
def test_a_history_that_cannot_be_read_is_told(raw: bytes) -> None:
    result = HistoryResult(publications=[msgspec.Raw(raw)], offset=1, epoch="e")
    with pytest.raises(ProtocolError, match="a publication cannot be read"):
        read_history(Channel("c"), result)


def test_a_measure_beyond_all_floats_is_a_failed_measurement() -> None:
    with pytest.raises(CollectFailed, match="too large"):
        number_at({"load": 10**400}, ("load",))


def test_a_wrong_value_is_told_with_its_place_and_its_rule():
    with pytest.raises(ProtocolError, match=r"cannot be read: within_s: give a number, and not a text$"):
        order.decode_balancer_request(b'{"type":"drain","node":"a","within_s":"soon","force":false}')
