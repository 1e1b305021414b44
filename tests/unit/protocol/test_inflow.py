"""Which bytes of a peer a framing library is given, and how the peer's half ends (PROTOCOL.md P-2.5, P-2.8)."""

import struct
from random import Random

import pytest

from ringway.errors import ProtocolError
from ringway.protocol.frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from ringway.protocol.inflow import Inflow

LIMIT = 70_000
BYE = struct.pack(">H", 1000) + b"bye"


def frame(opcode: int, payload: bytes = b"", *, masked: bool = True, fin: bool = True, rsv: int = 0) -> bytes:
    size = len(payload)
    bit = 0x80 if masked else 0
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, bit | 126, size)
    else:
        head = struct.pack(">BBQ", first, bit | 127, size)
    if not masked:
        return head + payload
    mask = b"\x05\xa0\x1f\xfe"
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def conversation(masked: bool) -> list[bytes]:
    return [
        frame(TEXT, b"", masked=masked),
        frame(TEXT, b"x" * 125, masked=masked),
        frame(BINARY, b"y" * 126, masked=masked),
        frame(PING, b"p" * 125, masked=masked),
        frame(TEXT, b"a", masked=masked, fin=False),
        frame(PONG, masked=masked),
        frame(CONTINUATION, b"b", masked=masked),
        frame(BINARY, b"z" * LIMIT, masked=masked),
        frame(TEXT, b"last", masked=masked),
    ]


def pieces(data: bytes, rng: Random) -> list[bytes]:
    found, pos = [], 0
    while pos < len(data):
        size = rng.choice((1, 1, 2, 3, 7, 100, 5000, 100_000))
        found.append(data[pos : pos + size])
        pos += size
    return found


def given(inflow: Inflow, data: list[bytes]) -> bytes:
    """What the library is given of `data`, the pieces of a stream."""
    return b"".join(piece[: inflow.feed(memoryview(piece))] for piece in data)


@pytest.mark.parametrize("masked", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("seed", range(20))
def test_what_precedes_a_close_is_passed_on_however_it_comes(masked: bool, seed: int) -> None:
    rng = Random(seed)
    legal = b"".join(conversation(masked))
    inflow = Inflow(masked=masked, payload_bytes_max=LIMIT)
    behind = rng.choice((b"", frame(PONG, masked=masked), frame(CLOSE, BYE, masked=masked), rng.randbytes(30)))
    stream = legal + frame(CLOSE, BYE, masked=masked) + behind
    assert given(inflow, pieces(stream, rng)) == legal
    assert inflow.end == BYE
    assert inflow.feed(frame(TEXT, b"more", masked=masked)) == 0


BREACHES = {
    "a reserved opcode": (frame(0x3, b"x"), 1002),
    "a reserved control opcode": (frame(0xB, b"x"), 1002),
    "a reserved bit": (frame(TEXT, b"x", rsv=1), 1002),
    "a reserved bit of a close frame": (frame(CLOSE, b"", rsv=4), 1002),
    "a fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "a fragmented close": (frame(CLOSE, BYE, fin=False), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a long close": (frame(CLOSE, BYE + b"x" * 121), 1002),
    "no mask": (frame(TEXT, b"x", masked=False), 1002),
    "a close without a mask": (frame(CLOSE, BYE, masked=False), 1002),
    "a short length in two bytes": (struct.pack(">BBH", 0x81, 0xFE, 125) + b"\0" * 129, 1002),
    "a short length in eight bytes": (struct.pack(">BBQ", 0x81, 0xFF, 65535) + b"\0" * 4, 1002),
    "a length with its highest bit set": (struct.pack(">BBQ", 0x81, 0xFF, 1 << 63) + b"\0" * 4, 1002),
    "a frame that is too long": (struct.pack(">BBQ", 0x82, 0xFF, LIMIT + 1) + b"\0" * 4, 1009),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("broken", "code"), BREACHES.values(), ids=BREACHES.keys())
def test_what_precedes_a_breach_is_passed_on_however_it_comes(broken: bytes, code: int, seed: int) -> None:
    rng = Random(seed)
    legal = b"".join(conversation(masked=True))
    inflow = Inflow(masked=True, payload_bytes_max=LIMIT)
    found = given(inflow, pieces(legal + broken + frame(TEXT, b"more"), rng))
    assert found[: len(legal)] == legal
    assert broken.startswith(found[len(legal) :])  # the beginning of a header, before it is seen to be wrong
    assert len(found) - len(legal) < 14
    assert isinstance(inflow.end, ProtocolError)
    assert inflow.end.close_code == code


def test_a_server_may_not_mask() -> None:
    inflow = Inflow(masked=False, payload_bytes_max=LIMIT)
    assert inflow.feed(frame(TEXT, b"x", masked=False) + frame(TEXT, b"y")) == 3
    assert isinstance(inflow.end, ProtocolError)


def test_a_close_that_is_not_whole_is_no_end() -> None:
    inflow = Inflow(masked=True, payload_bytes_max=LIMIT)
    assert inflow.feed(frame(TEXT, b"x") + frame(CLOSE, BYE)[:-1]) == 7
    assert inflow.end is None
    assert inflow.feed(frame(CLOSE, BYE)[-1:] + frame(TEXT, b"x")) == 0
    assert inflow.end == BYE


def test_an_empty_close_is_an_end() -> None:
    inflow = Inflow(masked=True, payload_bytes_max=LIMIT)
    assert inflow.feed(frame(CLOSE)) == 0
    assert inflow.end == b""
