"""Fan-out to subscribers that only record what they are sent."""

import asyncio
import json
from typing import Any

import pytest

from ringway.core.hub import Hub
from ringway.node.fanout import Fanout
from ringway.node.outbox import HEADROOM, Outbox
from ringway.node.stats import Stats
from ringway.types import Channel

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
        pushes = [[json.loads(line)["push"] for line in frame[HEADROOM:].split(b"\n")] for frame in self.frames]
        return [[(push["channel"], push["pub"]["data"]) for push in frame] for frame in pushes]


class Bench:
    def __init__(self, turn_bytes_max: int = 10_000) -> None:
        self.hub: Any = Hub()
        self.stats = Stats()
        self.fanout = Fanout(self.hub, Outbox(1 << 20, self.stats), self.stats, turn_bytes_max)

    def join(self, sink: Sink, *channels: Channel) -> Sink:
        for channel in channels:
            self.hub.add(channel, sink, sink.send)
        return sink

    def deliver(self, channel: Channel, *data: object) -> None:
        for one in data:
            self.fanout.deliver(channel, json.dumps({"data": one}).encode(), 0, 0)


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
    assert [len(frame) for frame in sink.seen()] == [2]
    await asyncio.sleep(0)
    assert [len(frame) for frame in sink.seen()] == [2, 1]


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b'{"data":1}\n{"data":2}', b'{"data":\n1}'])
async def test_what_is_not_one_object_on_one_line_is_dropped(bench: Bench, payload: bytes) -> None:
    sink = bench.join(Sink(), A)
    bench.fanout.deliver(A, payload, 0, 0)
    await asyncio.sleep(0)
    assert sink.frames == []
    assert bench.stats.malformed == 1
