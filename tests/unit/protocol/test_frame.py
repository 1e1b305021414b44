"""Frame boundaries: what a relay may let through, and what the close codes say."""

import pytest

from ringway.errors import ProtocolError
from ringway.protocol.close import may_travel
from ringway.protocol.frame import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    FrameTracker,
    client_frame,
    close_of,
    close_payload,
    is_lone,
    read_close,
    server_frame,
)


def masked(first: int, payload: bytes, mask: bytes = b"\x0a\x0b\x0c\x0d") -> bytes:
    head = (
        bytes((first, 0x80 | len(payload)))
        if len(payload) < 126
        else bytes((first, 0xFE)) + len(payload).to_bytes(2, "big")
    )
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def feed_all(tracker: FrameTracker, *pieces: bytes) -> None:
    for piece in pieces:
        if piece:
            tracker.feed(piece)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
def test_server_frames_have_the_shortest_length(size: int) -> None:
    frame = server_frame(BINARY, b"x" * size)
    assert len(frame) - size == (2 if size < 126 else 4 if size < 65536 else 10)
    tracker = FrameTracker(masked=False)
    tracker.feed(frame)
    assert tracker.at_boundary


def test_a_tracker_knows_where_frames_end() -> None:
    tracker = FrameTracker(masked=True)
    frame = masked(0x81, b"x" * 300)
    for cut in range(1, len(frame)):
        tracker.feed(frame[:cut])
        assert tracker.at_boundary == (cut < 8), cut  # a header is held back until it is whole
        tracker.feed(frame[cut:])
        assert tracker.at_boundary, cut


def test_many_frames_in_one_piece() -> None:
    tracker = FrameTracker(masked=True)
    tracker.feed(masked(0x81, b"a") * 1000 + masked(0x82, b"b" * 1000)[:-1])
    assert not tracker.at_boundary
    tracker.feed(b"b")
    assert tracker.at_boundary


def test_fragments_with_a_ping_between() -> None:
    tracker = FrameTracker(masked=False)
    for first in (0x01, 0x00, 0x89, 0x80, 0x02, 0x8A, 0x80, 0x81):
        tracker.feed(bytes((first, 1)) + b"x")


HARD = {
    "unmasked": b"\x81\x01x",
    "reserved opcode": masked(0x83, b""),
    "reserved control opcode": masked(0x8B, b""),
    "first reserved bit": masked(0xC1, b""),
    "last reserved bit": masked(0x91, b""),
    "fragmented ping": masked(0x09, b""),
    "long ping": masked(0x89, b"x" * 126),
    "continues nothing": masked(0x80, b""),
    "message within a message": masked(0x01, b"a") + masked(0x81, b"b"),
    "length with the highest bit": b"\x82\xff\x80" + b"\0" * 7 + b"mask",
    "HTTP": b"GET /internal HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", HARD)
def test_what_breaks_the_framing_is_refused_however_it_is_cut(name: str) -> None:
    data = HARD[name]
    for cut in range(len(data)):
        tracker = FrameTracker(masked=True)
        feed_all(tracker, data[:cut], data[cut:])
        assert tracker.breach is not None
        assert tracker.breach.close_code == 1002, cut
        assert tracker.over


def test_what_comes_before_a_violation_is_passed_on_and_nothing_after_it() -> None:
    good = b"\x01\x02ab" + b"\x00\x01c"
    bad = b"\x81\x01d" + b"\x80\x01e"
    for cut in range(1, len(good + bad)):
        tracker = FrameTracker(masked=False)
        pieces = (good + bad)[:cut], (good + bad)[cut:]
        assert b"".join(tracker.feed(piece) for piece in pieces) == good, cut
        assert tracker.breach is not None
        assert tracker.at_boundary
        assert tracker.feed(b"\x80\x01c") == b""
        assert tracker.close is None


def test_a_header_is_passed_on_whole() -> None:
    frames = {6: masked(0x82, b"x"), 8: masked(0x82, b"x" * 300), 10: server_frame(BINARY, b"x" * 70000)}
    for size, frame in frames.items():
        for cut in range(1, size):
            tracker = FrameTracker(masked=bool(frame[1] & 0x80))
            assert tracker.feed(frame[:cut]) == b""
            assert tracker.between_messages
            assert not is_lone(masked(0x81, b"x"), tracker.lone)
            assert tracker.feed(frame[cut:]) == frame
            assert tracker.lone is FrameTracker(masked=bool(frame[1] & 0x80)).lone


def test_a_server_must_not_mask() -> None:
    tracker = FrameTracker(masked=False)
    assert tracker.feed(masked(0x81, b"x")) == b""
    assert tracker.breach is not None


def test_extensions_may_use_the_reserved_bits() -> None:
    tracker = FrameTracker(masked=True, extensions=True)
    assert tracker.feed(masked(0xC1, b"x")) == masked(0xC1, b"x")


BEHIND_A_CLOSE = {
    "ping": masked(0x89, b"?"),
    "pong": masked(0x8A, b""),
    "message": masked(0x81, b"x"),
    "a second close": masked(0x88, b"\x03\xe9"),
    "half a header": b"\x81",
    "no frame at all": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", BEHIND_A_CLOSE)
def test_what_follows_a_close_frame_is_dropped_whatever_it_is(name: str) -> None:
    before, close = masked(0x81, b"last"), masked(0x88, b"\x03\xe8")
    data = before + close + BEHIND_A_CLOSE[name]
    for cut in range(1, len(data) + 1):
        tracker = FrameTracker(masked=True)
        assert b"".join(tracker.feed(piece) for piece in (data[:cut], data[cut:]) if piece) == before, cut
        assert tracker.close == close
        assert tracker.breach is None
        assert tracker.over


@pytest.mark.parametrize("masked_stream", [True, False])
def test_a_close_frame_is_kept_whole(masked_stream: bool) -> None:
    frame = masked(0x88, close_payload(4001, "ä")) if masked_stream else server_frame(CLOSE, close_payload(4001, "ä"))
    for cut in range(1, len(frame)):
        tracker = FrameTracker(masked=masked_stream)
        assert tracker.feed(frame[:cut]) == b""
        assert tracker.close is None
        assert not tracker.over
        assert tracker.at_boundary
        assert tracker.feed(frame[cut:]) == b""
        assert tracker.over
        assert tracker.between_messages
        assert tracker.close == frame
        assert close_of(frame) == (4001, "ä")


def test_what_comes_before_a_close_frame_is_passed_on() -> None:
    tracker = FrameTracker(masked=False)
    message = server_frame(TEXT, b"last words")
    assert tracker.feed(message[:5]) == message[:5]
    assert not tracker.at_boundary
    assert tracker.feed(message[5:] + b"\x88") == message[5:]
    assert tracker.at_boundary
    assert tracker.feed(b"\x00") == b""
    assert tracker.close == b"\x88\x00"


def test_a_close_frame_within_a_message_leaves_it_half_sent() -> None:
    tracker = FrameTracker(masked=False)
    assert tracker.feed(b"\x01\x01a" + b"\x88\x00") == b"\x01\x01a"
    assert tracker.over
    assert tracker.at_boundary
    assert not tracker.between_messages


def test_a_stream_is_followed_to_the_end_of_the_message_under_way() -> None:
    begun, ping, end = masked(0x01, b"be"), masked(0x89, b"?"), masked(0x80, b"gun")
    tracker = FrameTracker(masked=True)
    assert tracker.feed_message(begun) == (b"", begun)
    tracker.feed(begun[:-1])
    assert tracker.feed_message(begun[-1:] + ping) == (begun[-1:] + ping, b"")
    assert not tracker.between_messages
    assert tracker.feed_message(ping + end + begun + begun) == (ping + end, begun + begun)
    assert tracker.between_messages
    assert tracker.feed_message(b"") == (b"", b"")
    tracker.feed(ping[:-1])
    assert not tracker.between_messages
    assert tracker.feed_message(ping[-1:] + end) == (ping[-1:], end)
    assert tracker.lone is FrameTracker(masked=True).lone


def test_only_short_whole_messages_are_lone() -> None:
    tracker = FrameTracker(masked=True)
    for size in range(140):
        assert is_lone(masked(0x81, b"x" * size), tracker.lone) == (size < 126), size
    assert not is_lone(masked(0x89, b""), tracker.lone)
    assert not is_lone(masked(0x81, b"x") + b"x", tracker.lone)
    assert not is_lone(b"\x81\x01x", tracker.lone)
    assert not is_lone(b"\x81", tracker.lone)
    plain = FrameTracker(masked=False)
    for size in range(140):
        assert is_lone(server_frame(TEXT, b"x" * size), plain.lone) == (size < 126), size
    assert not is_lone(masked(0x81, b"x"), plain.lone)
    tracker.feed(masked(0x01, b"begins"))
    assert not is_lone(masked(0x81, b"x"), tracker.lone)
    tracker.feed(masked(0x80, b"ends"))
    assert is_lone(masked(0x81, b"x"), tracker.lone)
    tracker.feed(masked(0x88, b""))
    assert not is_lone(masked(0x81, b"x"), tracker.lone)


def test_client_frames_are_masked() -> None:
    frame = client_frame(CLOSE, close_payload(1001, "bye"))
    FrameTracker(masked=True).feed(frame)
    assert close_of(frame) == (1001, "bye")
    assert client_frame(PING, b"")[0] == 0x89


def test_close_payloads_are_read_strictly() -> None:
    assert read_close(b"") == (1005, "")
    assert read_close(close_payload(1012, "move n1")) == (1012, "move n1")
    for bad in (
        b"\x03",
        close_payload(1005),
        close_payload(1006),
        close_payload(999),
        close_payload(5000),
        b"\x03\xe8\xff",
    ):
        with pytest.raises(ProtocolError):
            read_close(bad)


def test_long_reasons_are_cut_at_a_character() -> None:
    payload = close_payload(1000, "ä" * 100)
    assert len(payload) <= 125
    assert read_close(payload) == (1000, "ä" * 61)


def test_which_codes_may_travel() -> None:
    assert [code for code in range(990, 1020) if may_travel(code)] == [1000, 1001, 1002, 1003, *range(1007, 1015)]
