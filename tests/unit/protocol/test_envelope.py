import pytest

from ringway.protocol.envelope import HEAD_BYTES, JOIN, LEAVE, PUBLICATION, Origin, body_of, is_sound
from ringway.types import Incarnation


def test_a_head_is_kind_origin_and_a_growing_number():  # P-10.1
    origin = Origin(Incarnation("0a0b0c0d"))
    sealed = [origin.seal(kind, b'{"data":1}') for kind in (PUBLICATION, JOIN, LEAVE)]
    assert [payload[:1] for payload in sealed] == [b"p", b"j", b"l"]
    assert {payload[1:5] for payload in sealed} == {b"\x0a\x0b\x0c\x0d"}
    assert [int.from_bytes(payload[5:HEAD_BYTES], "big") for payload in sealed] == [1, 2, 3]
    assert {payload[HEAD_BYTES:] for payload in sealed} == {b'{"data":1}'}


def test_the_offset_is_put_in_where_there_is_one():
    payload = Origin(Incarnation("00000001")).seal(PUBLICATION, b'{"data":1}')
    assert body_of(payload, 0) == b'{"data":1}'
    assert body_of(payload, 42) == b'{"offset":42,"data":1}'


@pytest.mark.parametrize(
    ("body", "sound"),
    [(b'{"data":1}', True), (b"{}", False), (b"", False), (b"[1]", False), (b'{"data":\n1}', False)],
)
def test_what_would_break_a_frame_is_not_sound(body, sound):
    payload = Origin(Incarnation("0a0a0a0a")).seal(PUBLICATION, body)
    assert is_sound(payload) is sound
    assert not is_sound(b"?" + payload[1:])
