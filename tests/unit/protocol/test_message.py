import pytest

from ringway.errors import ProtocolError
from ringway.protocol.frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from ringway.protocol.message import MessageAssembler, check_control, check_whole


def close_code(call: object, *args: object, **kwargs: object) -> int:
    with pytest.raises(ProtocolError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    return caught.value.close_code


def test_whole_messages() -> None:
    check_whole(TEXT, "für".encode(), 4)
    check_whole(BINARY, b"\xff", 4)
    assert close_code(check_whole, TEXT, b"12345", 4) == 1009
    assert close_code(check_whole, BINARY, b"12345", 4) == 1009
    assert close_code(check_whole, TEXT, b"\xff", 4) == 1007


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_whole_short_and_plain(opcode: int) -> None:
    check_control(opcode, b"x" * 125, fin=True, rsv=False)
    assert close_code(check_control, opcode, b"x" * 126, fin=True, rsv=False) == 1002
    assert close_code(check_control, opcode, b"", fin=False, rsv=False) == 1002
    assert close_code(check_control, opcode, b"", fin=True, rsv=True) == 1002


def test_reserved_opcodes_are_refused() -> None:
    for opcode in (0xB, 0xF):
        assert close_code(check_control, opcode, b"", fin=True, rsv=False) == 1002
    for opcode in (0x3, 0x7, PING):
        assert close_code(MessageAssembler(9).feed, opcode, b"", fin=True, rsv=False) == 1002


def test_fragments_must_begin_and_continue_in_order() -> None:
    assembler = MessageAssembler(100)
    assert close_code(assembler.feed, CONTINUATION, b"", fin=True, rsv=False) == 1002
    assert close_code(assembler.feed, TEXT, b"", fin=True, rsv=True) == 1002
    assert assembler.feed(TEXT, b"a", fin=False, rsv=False) is None
    assert not assembler.idle
    assert close_code(assembler.feed, BINARY, b"", fin=True, rsv=False) == 1002
    assert assembler.feed(CONTINUATION, b"b", fin=True, rsv=False) == (TEXT, b"ab")
    assert assembler.idle


def test_fragments_are_bounded_in_number() -> None:
    assembler = MessageAssembler(100, fragments_max=3)
    assembler.feed(TEXT, b"", fin=False, rsv=False)
    for _ in range(2):
        assembler.feed(CONTINUATION, b"", fin=False, rsv=False)
    assert close_code(assembler.feed, CONTINUATION, b"", fin=True, rsv=False) == 1009
