"""Guards what `engine/nats/connection.py` takes for granted of nats-py: an upgrade that breaks it fails here."""

import inspect
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from ringway.engine.nats.connection import DirectParser, ShareTap, SubjectTap, Tap, Wire
from ringway.errors import EngineAway


def read_of_subscriptions(method: object) -> set[str]:
    return set(re.findall(r"\bsub\.(\w+)", inspect.getsource(method)))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [Client._attempt_reconnect, Client._close])
def test_a_tap_has_what_nats_py_reads_of_subscriptions(method: object) -> None:
    wanted = read_of_subscriptions(method)
    assert wanted, "nats-py no longer walks its subscriptions here"
    lacking = {name for name in wanted if not hasattr(SubjectTap("s", lambda *_: None), name)}
    assert not lacking


def test_a_tap_looks_like_an_idle_subscription() -> None:
    tap, real = (
        SubjectTap("s", lambda *_: None),
        Subscription(None, 1, "s", cb=test_a_tap_looks_like_an_idle_subscription),
    )  # type: ignore[arg-type]
    for name in (name for name in vars(Tap) if name.startswith("_") and not name.startswith("__")):
        assert getattr(tap, name) == getattr(real, name), name
    assert ShareTap("s", lambda *_: None)._queue == "ringway"


def test_nats_py_has_what_the_wire_uses_and_calls_what_it_overrides() -> None:
    client = Client()
    for name in ("_subs", "_sid", "_pongs", "_pings_outstanding", "_transport", "_max_payload", "_server_info", "_ps"):
        assert hasattr(client, name), name
    source = inspect.getsource(Client) + inspect.getsource(Parser)
    for name in ("_process_pong", "_process_err", "_process_op_err", "_close", "_connect_to_server", "_process_msg"):
        assert f".{name}(" in source, name
        assert inspect.iscoroutinefunction(getattr(Client, name)), name
    assert "self._pongs.append(future)" in source
    assert "self._ps.reset()" in source
    assert "self._io_writer" in inspect.getsource(TcpTransport)


def test_nats_py_tells_of_its_return_after_the_server_confirmed_the_subscriptions() -> None:
    """Until then the wire is not `up`: who asks a member that is up must not hear that nobody serves."""
    source = inspect.getsource(Client._attempt_reconnect)
    steps = ["for sid, sub in self._subs.items()", "await self.flush()", "await self._reconnected_cb()"]
    places = [source.index(step) for step in steps]
    assert places == sorted(places)


class Recorder:
    """Stands for a client: one table of subscriptions, everything received in one list."""

    def __init__(self, taps: bool) -> None:
        self.got: list[tuple[object, ...]] = []
        self._subs: dict[int, object] = {}
        for sid in range(1, 4):
            self._subs[sid] = SubjectTap("s", self._take(sid)) if taps else object()

    def _take(self, sid: int):  # type: ignore[no-untyped-def]
        return lambda subject, reply, header, payload: self.got.append((sid, subject, reply, header, payload))

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, header: bytes | None) -> None:
        self.got.append((sid, subject, reply, header or b"", data))

    async def _process_ping(self) -> None:
        self.got.append(("ping",))

    async def _process_pong(self) -> None:
        self.got.append(("pong",))

    async def _process_err(self, message: str) -> None:
        self.got.append(("error", message))

    async def _process_info(self, info: dict[str, object]) -> None:
        self.got.append(("info", info["n"]))

    def untap(self, sid: int) -> None:
        self.got.append(("untap", sid))


payloads = st.binary(max_size=40) | st.sampled_from([b"", b"\r\n", b"PING\r\n", b"MSG a 1 5\r\nhello\r\n"])
sids = st.integers(1, 3)
replies = st.sampled_from([b"", b"_INBOX.1"])
headers = st.sampled_from([b"NATS/1.0\r\nA: b\r\n\r\n", b"NATS/1.0 503\r\n\r\n"])


def msg(sid: int, reply: bytes, payload: bytes) -> bytes:
    return b"MSG a.b %d %s%d\r\n%s\r\n" % (sid, reply and reply + b" ", len(payload), payload)


def hmsg(sid: int, reply: bytes, header: bytes, payload: bytes) -> bytes:
    sizes = b"%d %d" % (len(header), len(header) + len(payload))
    return b"HMSG a.b %d %s%s\r\n%s%s\r\n" % (sid, reply and reply + b" ", sizes, header, payload)


lines = st.sampled_from([b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Some Error'\r\n", b'INFO {"n":1}\r\n'])
streams = st.lists(
    st.builds(msg, sids, replies, payloads) | st.builds(hmsg, sids, replies, headers, payloads) | lines, max_size=8
).map(b"".join)


@given(stream=streams, cuts=st.lists(st.integers(0, 400), max_size=6), taps=st.booleans())
async def test_it_reads_what_nats_py_reads_however_the_stream_is_cut(
    stream: bytes, cuts: list[int], taps: bool
) -> None:
    theirs, ours = Recorder(taps=False), Recorder(taps=taps)
    await Parser(theirs).parse(stream)
    parser = DirectParser(ours)  # type: ignore[arg-type]
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in itertools.pairwise(edges):
        if start < end:
            await parser.parse(stream[start:end])
    assert ours.got == theirs.got


async def test_messages_nobody_wants_are_ended_at_the_server() -> None:
    recorder = Recorder(taps=True)
    await DirectParser(recorder).parse(msg(9, b"", b"stray") + msg(1, b"", b"wanted"))  # type: ignore[arg-type]
    assert recorder.got == [("untap", 9), (1, b"a.b", b"", b"", b"wanted")]


async def test_a_receiver_that_fails_harms_nobody_else() -> None:
    recorder = Recorder(taps=True)

    def fail(*_: object) -> None:
        raise ValueError("a bug of the receiver")

    recorder._subs[2] = SubjectTap("s", fail)
    await DirectParser(recorder).parse(msg(2, b"", b"1") + msg(1, b"", b"2"))  # type: ignore[arg-type]
    assert recorder.got == [(1, b"a.b", b"", b"", b"2")]


@pytest.mark.parametrize("line", [b"MSG\r\n", b"MSG a\r\n", b"MSG a b 5\r\nhello\r\n", b"MSG a 1 x\r\n", b"HELLO\r\n"])
async def test_what_is_no_protocol_is_an_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await DirectParser(Recorder(taps=True)).parse(line)  # type: ignore[arg-type]


async def test_a_line_without_an_end_is_an_error() -> None:
    parser = DirectParser(Recorder(taps=True))  # type: ignore[arg-type]
    for _ in range(31):
        await parser.parse(b"x" * 32768)
    with pytest.raises(ProtocolError):
        await parser.parse(b"x" * 65536)


async def test_a_new_connection_begins_without_the_rest_of_the_old() -> None:
    recorder = Recorder(taps=True)
    parser = DirectParser(recorder)  # type: ignore[arg-type]
    await parser.parse(b"MSG a 1 500\r\nhalf")
    parser.reset()
    await parser.parse(msg(1, b"", b"whole"))
    assert recorder.got == [(1, b"a.b", b"", b"", b"whole")]


async def test_a_wire_that_is_not_connected_is_not_up() -> None:
    wire = Wire()
    assert not wire.up
    with pytest.raises(EngineAway):
        wire.send("subject", b"")
