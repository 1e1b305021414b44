"""NATS's protocol as our parser reads it; nats-py's parser, an independent one, must read the same."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.parser import Parser

from ringway.engine.nats.failure import ConnectionEnded
from ringway.engine.nats.info import NatsInfo
from ringway.engine.nats.parser import NatsParser
from ringway.engine.nats.subscription import SubjectSubscription


class Ours:
    """Hears our parser: everything in one list."""

    def __init__(self, **bounds: int) -> None:
        self.got: list[tuple[object, ...]] = []
        self.subscriptions = {sid: SubjectSubscription("s", self._receiver(sid)) for sid in range(1, 4)}
        self.parser = NatsParser(self.subscriptions, self, **bounds)

    def _receiver(self, sid: int) -> Callable[[bytes, bytes, bytes, bytes], None]:
        return lambda subject, reply, header, payload: self.got.append((sid, subject, reply, header, payload))

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.parser.feed(piece)

    def on_info(self, info: NatsInfo) -> None:
        self.got.append(("info", info.version))

    def on_ping(self) -> None:
        self.got.append(("ping",))

    def on_pong(self) -> None:
        self.got.append(("pong",))

    def on_error(self, text: str) -> None:
        self.got.append(("error", text.lower()))

    def on_unwanted(self, sid: int) -> None:
        self.got.append(("unwanted", sid))


class Theirs:
    """Stands for nats-py's client."""

    def __init__(self) -> None:
        self.got: list[tuple[object, ...]] = []
        self._subs = {sid: object() for sid in range(1, 4)}

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, header: bytes | None) -> None:
        self.got.append((sid, subject, reply, header or b"", data))

    async def _process_ping(self) -> None:
        self.got.append(("ping",))

    async def _process_pong(self) -> None:
        self.got.append(("pong",))

    async def _process_err(self, message: str) -> None:
        self.got.append(("error", message))

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.got.append(("info", info["version"]))


payloads = st.binary(max_size=40) | st.sampled_from([b"", b"\r\n", b"PING\r\n", b"MSG a 1 5\r\nhello\r\n"])
sids = st.integers(1, 3)
replies = st.sampled_from([b"", b"_INBOX.1"])
headers = st.sampled_from([b"NATS/1.0\r\nA: b\r\n\r\n", b"NATS/1.0 503\r\n\r\n"])


def msg(sid: int, reply: bytes, payload: bytes) -> bytes:
    return b"MSG a.b %d %s%d\r\n%s\r\n" % (sid, reply and reply + b" ", len(payload), payload)


def hmsg(sid: int, reply: bytes, header: bytes, payload: bytes) -> bytes:
    sizes = b"%d %d" % (len(header), len(header) + len(payload))
    return b"HMSG a.b %d %s%s\r\n%s%s\r\n" % (sid, reply and reply + b" ", sizes, header, payload)


lines = st.sampled_from([b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Some Error'\r\n", b'INFO {"version":"1"}\r\n'])
streams = st.lists(
    st.builds(msg, sids, replies, payloads) | st.builds(hmsg, sids, replies, headers, payloads) | lines, max_size=8
).map(b"".join)
cuts = st.lists(st.integers(0, 400), max_size=6)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges) if start < end]


@given(stream=streams, cuts=cuts)
async def test_it_reads_what_nats_py_reads_however_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    theirs, ours = Theirs(), Ours()
    await Parser(theirs).parse(stream)
    ours.feed(*pieces(stream, cuts))
    assert ours.got == theirs.got


nonsense = st.binary(max_size=30) | st.sampled_from(
    [b"MSG a 1 -5\r\n", b"HMSG a 1 9 3\r\nabc\r\n", b"MSG a 1 3\r\nabcd\r\n"]
)


@given(stream=st.tuples(streams, nonsense, streams).map(b"".join), cuts=cuts)
def test_any_cut_of_any_stream_gives_the_same_events_and_the_same_end(stream: bytes, cuts: list[int]) -> None:
    ends = []
    for way in ([stream] if stream else [], pieces(stream, cuts), [bytes((byte,)) for byte in stream]):
        ours = Ours(line_bytes_max=64, message_bytes_max=64)
        try:
            ours.feed(*way)
        except ConnectionEnded:
            ours.got.append(("end",))
        ends.append(ours.got)
    assert ends[0] == ends[1] == ends[2]


def test_messages_nobody_wants_are_told() -> None:
    ours = Ours()
    ours.feed(msg(9, b"", b"stray") + msg(1, b"", b"wanted"))
    assert ours.got == [("unwanted", 9), (1, b"a.b", b"", b"", b"wanted")]


def test_a_receiver_that_fails_harms_nobody_else() -> None:
    ours = Ours()

    def fail(*_: object) -> None:
        raise ValueError("a bug of the receiver")

    ours.subscriptions[2] = SubjectSubscription("s", fail)
    ours.feed(msg(2, b"", b"1") + msg(1, b"", b"2"))
    assert ours.got == [(1, b"a.b", b"", b"", b"2")]


@pytest.mark.parametrize(
    "stream",
    [
        b"MSG\r\n",
        b"MSG a\r\n",
        b"MSG a b 5\r\nhello\r\n",
        b"MSG a 1 x\r\n",
        b"MSG a 5\r\nhello\r\n",
        b"MSG a 1 b c 5\r\nhello\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 4\r\nhello\r\n",
        b"HMSG a 1 5\r\nhello\r\n",
        b"HMSG a 1 6 5\r\nhello\r\n",
        b"HMSG a 1 -1 5\r\nhello\r\n",
        b"HELLO\r\n",
        b"\r\n",
        b"INFO nothing\r\n",
        b"MSG a 1 999999999999\r\n",
    ],
)
def test_what_is_no_protocol_is_an_error_and_nothing_behind_it_is_read(stream: bytes) -> None:
    ours = Ours()
    with pytest.raises(ConnectionEnded):
        ours.feed(stream + msg(1, b"", b"late"))
    ours.feed(msg(1, b"", b"later"))
    assert ours.got == []


def test_a_line_without_an_end_is_an_error() -> None:
    ours = Ours()
    ours.feed(*[b"x" * 32768] * 31)
    with pytest.raises(ConnectionEnded):
        ours.feed(b"x" * 65536)


def test_the_largest_message_passes_and_a_larger_one_does_not() -> None:
    ours = Ours(message_bytes_max=100)
    ours.feed(msg(1, b"", bytes(100)))
    assert len(ours.got) == 1
    with pytest.raises(ConnectionEnded):
        ours.feed(b"MSG a.b 1 101\r\n")


def test_a_receiver_may_stop_the_reading() -> None:
    ours = Ours()
    ours.subscriptions[1] = SubjectSubscription("s", lambda *_: ours.parser.stop())
    ours.feed(msg(2, b"", b"1") + msg(1, b"", b"2") + msg(2, b"", b"3") + b"MSG")
    ours.feed(b" a 2 1\r\n4\r\n")
    assert [got[-1] for got in ours.got] == [b"1"]
