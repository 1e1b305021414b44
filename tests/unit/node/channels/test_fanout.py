"""Fan-out to subscribers that only record what they are sent."""

import asyncio
import json
import time
from typing import Any

import pytest

from ringway.core.hub import Hub
from ringway.core.replay_buffer import ReplayBuffer
from ringway.core.stream import ChannelStream
from ringway.node.channels.fanout import Fanout
from ringway.node.config.node import NodeConfig
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import HEADROOM
from ringway.node.stats import NodeStats
from ringway.protocol.envelope import JOIN, LEAVE, PUBLICATION, Origin
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation

A, B, C = Channel("a"), Channel("b"), Channel("c")


class Sink:
    """A subscriber; `broken` ones raise."""

    def __init__(self, *, broken: bool = False) -> None:
        self.frames: list[bytearray] = []
        self.broken = broken

    def send(self, opcode: int, frame: bytearray, offset: int) -> None:
        assert (opcode, offset) == (1, HEADROOM)
        if self.broken:
            raise RuntimeError("a transport that is closed")
        self.frames.append(frame)

    def seen(self) -> list[list[tuple[str, Any]]]:
        """Channel and data of every push, frame by frame."""
        return [[(push["channel"], push["pub"]["data"]) for push in frame] for frame in self.pushes()]

    def pushes(self) -> list[list[dict[str, Any]]]:
        """Every push, frame by frame."""
        return [[json.loads(line)["push"] for line in frame[HEADROOM:].split(b"\n")] for frame in self.frames]


class Bench:
    def __init__(self, turn_bytes_max: int = 10_000) -> None:
        self.hub: Any = Hub()
        self.watchers: Any = Hub()
        self.stats = NodeStats()
        self.streams = {channel: ChannelStream(kept=False) for channel in (A, B, C)}
        self.origin = Origin(Keyring(b"a secret of tests"), Incarnation("0000000a"), time.time)
        self.behind: list[Channel] = []
        self.fanout = Fanout(
            self.streams,
            self.hub,
            self.watchers,
            Outbox(1 << 20, self.stats),
            NodeConfig(turn_bytes_max=turn_bytes_max, tail_bytes_max=1000),
            self.stats,
            on_gap=self.behind.append,
            on_heard=lambda channel: None,
        )

    def join(self, sink: Sink, *channels: Channel, watching: bool = False) -> Sink:
        for channel in channels:
            self.hub.add(channel, sink, sink.send)
            if watching:
                self.watchers.add(channel, sink, sink.send)
        return sink

    def keep(self, channel: Channel, position: int) -> ChannelStream:
        stream = self.streams[channel] = ChannelStream(kept=True)
        stream.begin("e", position)
        return stream

    def deliver(self, channel: Channel, *data: object) -> None:
        for one in data:
            self.deliver_at(channel, one, 0, 0)

    def deliver_at(self, channel: Channel, data: object, offset: int, previous: int) -> None:
        sealed = self.origin.seal(PUBLICATION, channel, json.dumps({"data": data}).encode())
        self.fanout.deliver(channel, sealed, offset, previous)

    def note(self, channel: Channel, kind: int, client: str) -> None:
        sealed = self.origin.seal(kind, channel, json.dumps({"user": "", "client": client}).encode())
        self.fanout.deliver(channel, sealed, 0, 0)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_one_turn_is_one_shared_frame(bench: Bench) -> None:
    one, two = bench.join(Sink(), A), bench.join(Sink(), A)
    bench.deliver(A, 1, 2, 3)
    assert one.frames == []
    await asyncio.sleep(0)
    assert one.seen() == two.seen() == [[("a", 1), ("a", 2), ("a", 3)]]
    assert one.frames[0] is two.frames[0]
    bench.deliver(A, 4)
    await asyncio.sleep(0)
    assert one.seen()[1:] == [[("a", 4)]]
    assert (bench.stats.publications, bench.stats.deliveries, bench.stats.writes) == (4, 8, 4)


async def test_channels_of_one_turn_are_joined_for_those_who_have_several(bench: Bench) -> None:
    only_a, only_b = bench.join(Sink(), A), bench.join(Sink(), B)
    both, too = bench.join(Sink(), A, B), bench.join(Sink(), A, B, C)
    bench.deliver(A, 1)
    bench.deliver(B, 2)
    bench.deliver(A, 3)
    bench.deliver(C, 4)
    await asyncio.sleep(0)
    assert only_a.seen() == [[("a", 1), ("a", 3)]]
    assert only_b.seen() == [[("b", 2)]]
    assert both.seen() == [[("a", 1), ("a", 3), ("b", 2)]]
    assert too.seen() == [[("a", 1), ("a", 3), ("b", 2), ("c", 4)]]
    assert bench.stats.writes == 4


async def test_who_leaves_before_the_turn_ends_gets_nothing(bench: Bench) -> None:
    stays, leaves = bench.join(Sink(), A), bench.join(Sink(), A)
    bench.deliver(A, 1)
    bench.hub.remove(A, leaves)
    await asyncio.sleep(0)
    assert (len(stays.frames), len(leaves.frames)) == (1, 0)
    bench.deliver(A, 2)
    bench.hub.remove(A, stays)
    bench.deliver(B, 1)  # nobody there
    await asyncio.sleep(0)
    assert len(stays.frames) == 1


@pytest.mark.parametrize("channels", [(A,), (A, B)])
async def test_a_broken_subscriber_costs_the_others_nothing(bench: Bench, channels: tuple[Channel, ...]) -> None:
    sinks = [bench.join(Sink(broken=number in (0, 2, 3)), *channels) for number in range(6)]
    for channel in channels:
        bench.deliver(channel, 1)
    await asyncio.sleep(0)
    assert [len(sink.frames) for sink in sinks] == [0, 1, 0, 0, 1, 1]


async def test_what_is_gathered_is_bounded() -> None:
    bench = Bench(turn_bytes_max=100)
    sink = bench.join(Sink(), A)
    bench.deliver(A, "x" * 60, "y" * 60, "z")
    assert bench.stats.publications == 3
    assert [len(frame) for frame in sink.seen()] == [2]
    await asyncio.sleep(0)
    assert [len(frame) for frame in sink.seen()] == [2, 1]


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b"{}", b'{"data":1}\n{"data":2}', b'{"data":\n1}'])
@pytest.mark.parametrize("head", [b"\2", b"\2p" + bytes(34)])
async def test_what_is_not_one_object_on_one_line_is_dropped(bench: Bench, payload: bytes, head: bytes) -> None:
    sink = bench.join(Sink(), A)
    bench.fanout.deliver(A, head + payload, 0, 0)
    await asyncio.sleep(0)
    assert sink.frames == []
    assert bench.stats.malformed == 1


async def test_a_place_of_a_publication_that_was_not_believed_is_delivered_to_nobody(bench: Bench) -> None:
    sink = bench.join(Sink(), A)
    stream = bench.keep(A, 1)
    for offset, payload in stream.caught_up("e", 2, [(2, b"")], complete=True) or ():
        bench.fanout.send(A, stream, payload, offset)
    bench.deliver_at(A, "next", 3, 2)
    await asyncio.sleep(0)
    assert sink.seen() == [[("a", "next")]]
    assert (bench.stats.malformed, bench.stats.repeated, bench.behind) == (0, 0, [])


async def test_a_publication_that_was_stored_again_is_delivered_once(bench: Bench) -> None:
    sink = bench.join(Sink(), A)
    stream = bench.keep(A, 1)
    payloads = [bench.origin.seal(PUBLICATION, A, b'{"data":%d}' % number) for number in range(3)]
    bench.fanout.deliver(A, payloads[0], 2, 1)
    bench.fanout.deliver(A, payloads[1], 3, 2)
    bench.fanout.deliver(A, payloads[0], 4, 3)  # a stranger has stored it again
    assert (bench.stats.repeated, stream.position, bench.behind) == (1, 3, [])
    bench.fanout.deliver(A, payloads[2], 5, 4)
    assert bench.behind == [A]
    page = [(4, payloads[0]), (5, payloads[2])]
    for offset, payload in stream.caught_up("e", 5, page, complete=True) or ():
        bench.fanout.send(A, stream, payload, offset)
    await asyncio.sleep(0)
    assert [data for frame in sink.seen() for data in frame] == [("a", 0), ("a", 1), ("a", 2)]
    assert (bench.stats.repeated, stream.position) == (2, 5)


async def test_a_newline_in_the_head_is_no_harm(bench: Bench) -> None:
    sink = bench.join(Sink(), A)
    bench.fanout.deliver(A, b"\2p" + b"\n" * 34 + b'{"data":1}', 0, 0)
    await asyncio.sleep(0)
    assert sink.seen() == [[("a", 1)]]


async def test_offsets_are_put_in_and_followed(bench: Bench) -> None:
    stream = bench.keep(A, 10)
    sink = bench.join(Sink(), A)
    bench.deliver_at(A, 1, 12, 10)
    bench.deliver_at(A, 2, 15, 12)
    bench.deliver_at(A, 3, 16, 0)  # those before it have expired
    await asyncio.sleep(0)
    [pushes] = sink.pushes()
    assert [push["pub"] for push in pushes] == [
        {"offset": 12, "data": 1},
        {"offset": 15, "data": 2},
        {"offset": 16, "data": 3},
    ]
    assert (stream.position, bench.behind) == (16, [])


async def test_what_comes_after_a_gap_is_held_and_said(bench: Bench) -> None:
    stream = bench.keep(A, 10)
    sink = bench.join(Sink(), A)
    bench.deliver_at(A, 1, 13, 12)
    bench.deliver_at(A, 2, 14, 13)
    await asyncio.sleep(0)
    assert sink.frames == []
    assert bench.behind == [A, A]
    assert stream.position == 10


async def test_a_channel_is_followed_without_subscribers_and_one_that_is_gone_is_not(bench: Bench) -> None:
    stream = bench.keep(A, 10)
    bench.deliver_at(A, 1, 12, 10)
    assert stream.position == 12
    del bench.streams[A]
    bench.join(Sink(), A)
    bench.deliver_at(A, 2, 13, 12)
    assert bench.stats.publications == 0
    await asyncio.sleep(0)


async def test_a_tail_gets_everything_that_is_delivered(bench: Bench) -> None:
    buffer = bench.streams[A].buffer = ReplayBuffer(0, 10_000)
    bench.deliver(A, 1)
    bench.note(A, JOIN, "c")
    found = buffer.unheard({}, 0)
    assert found is not None
    assert [(entry.kind, entry.body) for entry in found] == [
        (PUBLICATION, b'{"data": 1}'),
        (JOIN, b'{"user": "", "client": "c"}'),
    ]
    assert bench.streams[A].heard == {b"\x00\x00\x00\x0a": (2).to_bytes(8, "big")}


async def test_joins_and_leaves_go_to_those_who_watch_in_the_order_of_events(bench: Bench) -> None:
    watches, does_not = bench.join(Sink(), A, watching=True), bench.join(Sink(), A)
    bench.note(A, JOIN, "x")
    bench.note(A, JOIN, "y")
    bench.deliver(A, 1)
    bench.note(A, LEAVE, "x")
    bench.note(B, JOIN, "z")  # nobody watches there
    await asyncio.sleep(0)
    seen = [
        (kind, push[kind]["data"] if kind == "pub" else push[kind]["info"]["client"])
        for frame in watches.pushes()
        for push in frame
        for kind in ("join", "pub", "leave")
        if kind in push
    ]
    assert seen == [("join", "x"), ("join", "y"), ("pub", 1), ("leave", "x")]
    assert [[push["pub"]["data"] for push in frame] for frame in does_not.pushes()] == [[1]]


async def test_settling_sends_what_was_gathered_of_the_channel(bench: Bench) -> None:
    sink = bench.join(Sink(), A, B)
    bench.deliver(A, 1)
    bench.fanout.flush_channel(B)
    assert sink.frames == []
    bench.fanout.flush_channel(A)
    assert sink.seen() == [[("a", 1)]]
    await asyncio.sleep(0)
    assert len(sink.frames) == 1
