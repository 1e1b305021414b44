import pytest

from ringway.core.replay_buffer import ENTRY_BYTES, ReplayEntry
from ringway.core.stream import ChannelStream
from ringway.node.channels import replay as module
from ringway.node.channels.replay import LINGER_S, ReplayBuffers
from ringway.protocol.envelope import PUBLICATION
from ringway.types import Channel

CHANNELS = [Channel(f"c{n}") for n in range(6)]


class World:
    def __init__(self, *, kept: bool = True) -> None:
        self.now = 0.0
        self.streams = {channel: ChannelStream(kept=kept) for channel in CHANNELS}
        self.unneeded: list[Channel] = []
        self.buffers = ReplayBuffers(self.streams, 10_000, lambda: self.now, self.unneeded.append)

    def linger(self, channel: Channel, entries: int = 1) -> None:
        lease = self.buffers.lease(channel)
        for number in range(entries):
            lease.buffer.add(ReplayEntry(number + 1, b"", b"", PUBLICATION, b""))
        lease.release()

    def kept(self) -> list[Channel]:
        return [channel for channel in CHANNELS if self.streams[channel].buffer is not None]


def test_a_tail_is_kept_as_long_as_somebody_holds_it_and_a_little_longer():
    world = World()
    first, second = world.buffers.lease(CHANNELS[0]), world.buffers.lease(CHANNELS[0])
    assert first.buffer is second.buffer
    first.release()
    first.release()
    world.now += 100
    world.buffers.sweep()
    assert world.kept() == CHANNELS[:1]
    second.release()
    world.now += LINGER_S - 0.1
    world.buffers.sweep()
    assert world.kept() == CHANNELS[:1]
    world.now += 0.2
    world.buffers.sweep()
    assert world.kept() == []
    assert world.unneeded == CHANNELS[:1] * 2


def test_without_history_it_goes_with_its_last_holder():
    world = World(kept=False)
    world.linger(CHANNELS[0])
    assert world.kept() == []
    assert world.unneeded == CHANNELS[:1]


def test_how_many_linger_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LINGERING_MAX", 3)
    world = World()
    for channel in CHANNELS:
        world.linger(channel)
    assert world.kept() == CHANNELS[3:]


def test_how_much_lingers_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LINGERING_BYTES_MAX", 5 * ENTRY_BYTES)
    world = World()
    for channel in CHANNELS[:3]:
        world.linger(channel, 2)
    assert world.kept() == CHANNELS[1:3]
    world.buffers.lease(CHANNELS[1])
    world.linger(CHANNELS[3], 3)
    assert world.kept() == CHANNELS[1:4]
    world.linger(CHANNELS[4], 3)
    assert world.kept() == [CHANNELS[1], CHANNELS[4]]


def test_one_that_is_over_begins_anew_for_the_next():
    world = World()
    lease = world.buffers.lease(CHANNELS[0])
    world.buffers.forget(CHANNELS[0])
    again = world.buffers.lease(CHANNELS[0])
    assert again.buffer is not lease.buffer
    lease.release()
    assert world.kept() == CHANNELS[:1]
    world.buffers.forget(Channel("gone"))
