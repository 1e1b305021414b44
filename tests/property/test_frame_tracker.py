"""However a stream of frames is cut into pieces, a tracker sees the same; and no bytes make it fail otherwise."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ProtocolError
from ringway.protocol.frame import FrameTracker, is_lone, server_frame

SIZES = st.one_of(st.integers(0, 130), st.sampled_from([125, 126, 127, 65535, 65536, 70000]))


@st.composite
def frames(draw: st.DrawFn, masked: bool) -> bytes:
    """Any sequence of frames, mostly legal ones."""
    made = b""
    for _ in range(draw(st.integers(1, 8))):
        first = draw(st.sampled_from([0x81, 0x82, 0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0x83]))
        size = draw(st.integers(0, 125)) if first & 8 else draw(SIZES)
        bit = 0x80 if masked else 0
        if size < 126:
            made += bytes((first, bit | size))
        elif size < 65536:
            made += bytes((first, bit | 126)) + size.to_bytes(2, "big")
        else:
            made += bytes((first, bit | 127)) + size.to_bytes(8, "big")
        made += b"mask" * masked + b"p" * size
    return made[: draw(st.one_of(st.just(len(made)), st.integers(0, len(made))))]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut `data` at `cuts`."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def follow(data: list[bytes], masked: bool, *, short_cut: bool) -> tuple[object, ...]:
    """What a tracker says of a stream, in the end; by the short cut of a relay, or without."""
    tracker = FrameTracker(masked=masked)
    passed = 0
    try:
        for piece in data:
            if short_cut and is_lone(piece, tracker.lone):
                passed += len(piece)
            else:
                passed += tracker.feed(piece)
    except ProtocolError:
        return ("violation",)
    return tracker.at_boundary, tracker.between_messages, passed, tracker.closed, tracker.close


class Model:
    """Follows the stream byte by byte, with no regard for speed."""

    def __init__(self, masked: bool) -> None:
        self.masked = masked
        self.begun = b""
        self.fragmented = False
        self.close: bytes | None = None
        self.passed = 0  # bytes before the close frame
        self.ends: list[int] = []  # where another stream may go on

    def whole(self, frame: bytes) -> int:
        """The size of the frame that begins with `frame`, or 0 while that is unknown."""
        if len(frame) < 2:
            return 0
        extra = {126: 2, 127: 8}.get(frame[1] & 0x7F, 0)
        head = 2 + extra + (4 if frame[1] & 0x80 else 0)
        if len(frame) < head:
            return 0
        return head + (int.from_bytes(frame[2 : 2 + extra], "big") if extra else frame[1] & 0x7F)

    def check(self, frame: bytes) -> bool:
        """Whether the frame may begin so."""
        opcode = frame[0] & 15
        legal = opcode in (0, 1, 2, 8, 9, 10) and not frame[0] & 0x70 and bool(frame[1] & 0x80) == self.masked
        legal &= self.close is None
        if opcode & 8:
            return legal and bool(frame[0] & 0x80) and frame[1] & 0x7F < 126
        legal &= (opcode == 0) == self.fragmented
        self.fragmented = not frame[0] & 0x80
        return legal

    def run(self, data: bytes) -> tuple[object, ...]:
        """What a tracker must say when it has followed `data`."""
        while True:
            if not self.fragmented and self.close is None:
                self.ends.append(self.passed)
            if not data:
                return self.told(True)
            size = self.whole(data)
            closes = data[0] & 15 == 8
            if not size:
                legal = len(data) < 2 or bool(data[1] & 0x80) == self.masked
                boundary = closes or self.close is not None
                self.passed += 0 if boundary else len(data)
                return self.told(boundary) if legal else ("violation",)
            if not self.check(data):
                return ("violation",)
            if closes:
                self.close = data[:size]
            else:
                self.passed += min(size, len(data))
            if len(data) < size:
                return self.told(closes, whole=not closes)
            data = data[size:]

    def told(self, boundary: bool, whole: bool = True) -> tuple[object, ...]:
        between = boundary and not self.fragmented
        closed = self.close is not None and whole
        return boundary, between, self.passed, closed, self.close if closed else None


@given(
    st.booleans().flatmap(lambda masked: st.tuples(st.just(masked), frames(masked))), st.lists(st.integers(0, 200_000))
)
def test_any_split_gives_the_same(stream: tuple[bool, bytes], cuts: list[int]) -> None:
    masked, data = stream
    expected = Model(masked).run(data)
    split = pieces_of(data, cuts)
    assert follow([data] if data else [], masked, short_cut=False) == expected
    assert follow(split, masked, short_cut=False) == expected
    assert follow(split, masked, short_cut=True) == expected


@given(st.lists(st.binary(min_size=1, max_size=40)), st.booleans())
def test_any_bytes_are_followed_or_refused(pieces: list[bytes], masked: bool) -> None:
    whole = follow([b"".join(pieces)] if pieces else [], masked, short_cut=False)
    assert follow(pieces, masked, short_cut=True) == whole


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """What a client sends that keeps to the rules: fragments, control frames between them, perhaps a close frame."""
    firsts: list[int] = []
    for fragments in draw(st.lists(st.integers(1, 3), max_size=5)):
        for index in range(fragments):
            firsts += draw(st.lists(st.sampled_from([0x89, 0x8A]), max_size=1))
            firsts.append((0x02 if index == 0 else 0x00) | (0x80 if index == fragments - 1 else 0))
    if draw(st.booleans()):
        firsts = [*firsts[: draw(st.integers(0, len(firsts)))], 0x88]
    made = b""
    for first in firsts:
        size = draw(st.integers(0, 125)) if first & 8 else draw(SIZES)
        head = server_frame(first & 15, b"x" * size)
        made += bytes((first, head[1] | 0x80)) + head[2 : len(head) - size] + b"mask" + b"x" * size
    return made[: len(made) - draw(st.sampled_from([0, 0, 1, 3, 9, 70000]))]


@given(messages(), st.lists(st.integers(0, 200_000)), st.integers(0, 200_000), st.booleans())
def test_a_stream_is_split_at_the_first_message_boundary(
    data: bytes, cuts: list[int], begin: int, short_cut: bool
) -> None:
    begin %= len(data) + 1
    model = Model(masked=True)
    expected = model.run(data)
    tracker = FrameTracker(masked=True)
    passed = 0
    for piece in pieces_of(data[:begin], cuts):
        passed += len(piece) if short_cut and is_lone(piece, tracker.lone) else tracker.feed(piece)
    end = next((end for end in model.ends if end >= passed), None)
    rest = pieces_of(data[begin:], cuts)
    while rest and not tracker.between_messages:
        piece = rest.pop(0)
        used = tracker.feed_message(piece)
        passed += used
        if tracker.between_messages:
            rest.insert(0, piece[used:])
    assert tracker.between_messages == (end is not None)
    assert passed == (model.passed if end is None else end)
    if tracker.between_messages:
        assert tracker.feed_message(b"what comes then is not looked at") == 0
    passed += sum(tracker.feed(piece) for piece in rest if piece)
    assert (tracker.at_boundary, tracker.between_messages, passed, tracker.closed, tracker.close) == expected
