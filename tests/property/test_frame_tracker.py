"""However a stream of frames is cut into pieces, a tracker sees the same; and no bytes make it fail."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

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
    passed = b""
    for piece in data:
        passed += piece if short_cut and is_lone(piece, tracker.lone) else tracker.feed(piece)
    return told(tracker, passed)


def told(tracker: FrameTracker, passed: bytes) -> tuple[object, ...]:
    """What a tracker says, and what it has passed on."""
    assert tracker.over == (tracker.breach is not None or tracker.close is not None)
    return tracker.at_boundary, tracker.between_messages, passed, tracker.breach is not None, tracker.close


class Model:
    """Follows the stream frame by frame, with no regard for speed."""

    def __init__(self, masked: bool) -> None:
        self.masked = masked
        self.fragmented = False
        self.passed = b""  # all whole headers, and what has come of their frames, before a close frame or a violation
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
        if opcode & 8:
            return legal and bool(frame[0] & 0x80) and frame[1] & 0x7F < 126
        legal &= (opcode == 0) == self.fragmented
        if legal:
            self.fragmented = not frame[0] & 0x80
        return legal

    def run(self, data: bytes) -> tuple[object, ...]:
        """What a tracker must say when it has followed `data`."""
        while True:
            if not self.fragmented:
                self.ends.append(len(self.passed))
            size = self.whole(data)
            if not size:
                return self.told(breach=len(data) > 1 and bool(data[1] & 0x80) != self.masked)
            if not self.check(data):
                return self.told(breach=True)
            if data[0] & 15 == 8:
                return self.told(close=data[:size] if len(data) >= size else None)
            self.passed += data[:size]
            if len(data) < size:
                return self.told(boundary=False)
            data = data[size:]

    def told(self, *, breach: bool = False, boundary: bool = True, close: bytes | None = None) -> tuple[object, ...]:
        return boundary, boundary and not self.fragmented, self.passed, breach, close


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
    passed = b""
    for piece in pieces_of(data[:begin], cuts):
        passed += piece if short_cut and is_lone(piece, tracker.lone) else tracker.feed(piece)
    end = next((end for end in model.ends if end >= len(passed)), None)
    rest = pieces_of(data[begin:], cuts)
    while rest and not (tracker.between_messages or tracker.over):
        used, behind = tracker.feed_message(rest.pop(0))
        passed += used
        if behind:
            rest.insert(0, behind)
    assert tracker.between_messages == (end is not None)
    if end is not None:
        assert len(passed) == end
        assert tracker.feed_message(b"what comes then is not looked at")[0] == b""
    for piece in rest:
        passed += tracker.feed(piece)
    assert told(tracker, passed) == expected
