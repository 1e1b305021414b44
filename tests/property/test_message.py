"""Messages survive any split into fragments; invalid UTF-8 is found under every split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ProtocolError
from ringway.protocol.close import INVALID_PAYLOAD, MESSAGE_TOO_BIG
from ringway.protocol.frame import BINARY, CONTINUATION, TEXT
from ringway.protocol.message import MessageAssembler

CUTS = st.lists(st.integers(0, 200), max_size=8)


def parts_of(payload: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
    return [payload[start:end] for start, end in pairwise(edges)]


def feed(assembler: MessageAssembler, opcode: int, parts: list[bytes]) -> tuple[int, bytes] | None:
    message = None
    for index, part in enumerate(parts):
        assert message is None
        fin = index == len(parts) - 1
        message = assembler.feed(opcode if index == 0 else CONTINUATION, part, fin=fin, rsv=False)
        assert assembler.idle == fin
    return message


@given(st.text(max_size=60), CUTS)
def test_text_comes_out_as_it_went_in(text: str, cuts: list[int]) -> None:
    assembler = MessageAssembler(1000)
    for _ in range(2):
        assert feed(assembler, TEXT, parts_of(text.encode(), cuts)) == (TEXT, text.encode())


@given(st.binary(max_size=120), CUTS)
def test_bytes_that_are_not_utf8_are_refused_as_text_and_taken_as_binary(data: bytes, cuts: list[int]) -> None:
    parts = parts_of(data, cuts)
    assert feed(MessageAssembler(1000), BINARY, parts) == (BINARY, data)
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ProtocolError) as caught:
            feed(MessageAssembler(1000), TEXT, parts)
        assert caught.value.close_code == INVALID_PAYLOAD
    else:
        assert feed(MessageAssembler(1000), TEXT, parts) == (TEXT, data)


@given(st.integers(1, 100), CUTS)
def test_a_message_is_bounded_however_it_is_split(size: int, cuts: list[int]) -> None:
    payload = b"x" * size
    assert feed(MessageAssembler(size), TEXT, parts_of(payload, cuts)) == (TEXT, payload)
    with pytest.raises(ProtocolError) as caught:
        feed(MessageAssembler(size - 1), TEXT, parts_of(payload, cuts))
    assert caught.value.close_code == MESSAGE_TOO_BIG
