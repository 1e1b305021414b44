from typing import Any

from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import HEADROOM, frame_of
from ringway.node.stats import NodeStats


class Reader:
    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.asked = 0
        self.closed: list[int] = []
        self.sent: list[bytes] = []

    def waiting_bytes(self) -> int:
        self.asked += 1
        return self.waiting

    def close(self, code: int, reason: str) -> None:
        self.closed.append(code)

    def send(self, opcode: int, frame: bytearray, offset: int) -> None:
        self.sent.append(bytes(frame[offset:]))


def test_only_slow_connections_are_asked_what_waits() -> None:
    stats = NodeStats()
    outbox = Outbox(100_000, stats)
    quick: Any = Reader(0)
    slow: Any = Reader(60_000)
    outbox.on_paused(slow)
    assert stats.slow == 1
    for _ in range(20):
        outbox.send(quick, b"x")
        outbox.send(slow, b"x")
    assert (quick.asked, slow.asked) == (0, 20)
    assert slow.closed == []
    outbox.on_resumed(slow)
    outbox.send(slow, b"x")
    assert slow.asked == 20
    assert stats.slow == 0


def test_more_than_the_bound_is_closed_once() -> None:
    outbox = Outbox(100_000, NodeStats())
    slow: Any = Reader(100_001)
    outbox.on_paused(slow)
    outbox.send(slow, b"x")
    outbox.check()
    assert slow.closed == [3008]


def test_a_fan_out_is_checked_now_and_then_not_each_time() -> None:
    outbox = Outbox(160_000, NodeStats())
    slow: Any = Reader(1)
    outbox.on_written(1_000_000)
    outbox.on_paused(slow)
    for _ in range(100):
        outbox.on_written(1000)
    assert slow.asked == 100_000 // 10_000 - 1
    slow.waiting = 160_001
    outbox.on_written(10_001)
    assert slow.closed == [3008]


def test_the_high_water_mark_lies_below_the_bound() -> None:
    assert Outbox(4096, NodeStats()).high_water_bytes == 2048
    assert Outbox(1 << 20, NodeStats()).high_water_bytes == 65536


def test_frames_leave_room_for_their_header() -> None:
    assert frame_of(b"abc") == bytearray(HEADROOM) + b"abc"
