"""Reading in batches: what comes during a pause is handled together, in order, and in pieces."""

import asyncio
from typing import cast

import pytest

from ringway.net.paced_reading import PIECE_BYTES, PacedReading

PAUSE_S = 0.02


class Transport:
    """The calls that a paced reading makes, in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.closing = False

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def is_closing(self) -> bool:
        return self.closing


class Paced:
    """A paced reading, with all that was handled."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.fed: list[bytes] = []
        self.reading = PacedReading(self.fed.append, PAUSE_S)

    def receive(self, data: bytes) -> None:
        self.reading.receive(data, cast(asyncio.Transport, self.transport))

    async def until_resumed(self, times: int) -> None:
        async with asyncio.timeout(10):
            while self.transport.calls.count("resume") < times:
                await asyncio.sleep(PAUSE_S / 4)


async def test_a_read_is_handled_at_once_and_the_next_one_after_a_pause() -> None:
    paced = Paced()
    paced.receive(b"one")
    assert (paced.fed, paced.transport.calls) == ([b"one"], ["pause"])
    await paced.until_resumed(1)
    paced.receive(b"two")
    assert (paced.fed, paced.transport.calls) == ([b"one", b"two"], ["pause", "resume", "pause"])
    paced.reading.stop()


async def test_a_long_read_is_handled_in_pieces_one_in_each_turn() -> None:
    paced = Paced()
    data = bytes(range(256)) * (3 * PIECE_BYTES // 256) + b"rest"
    paced.receive(data)
    assert len(paced.fed) == 1
    turns = 0
    while len(paced.fed) < 4:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 3
    assert [len(piece) for piece in paced.fed] == [PIECE_BYTES] * 3 + [4]
    assert b"".join(paced.fed) == data
    assert paced.transport.calls == ["pause"]
    paced.reading.stop()


async def test_what_comes_in_spite_of_the_pause_stays_behind_what_came_before() -> None:
    paced = Paced()
    paced.receive(b"a" * (PIECE_BYTES + 1))
    paced.receive(b"b")
    assert paced.fed == [b"a" * PIECE_BYTES]
    await paced.until_resumed(1)
    assert paced.fed == [b"a" * PIECE_BYTES, b"ab"]
    paced.receive(b"c")
    paced.receive(b"d")
    await paced.until_resumed(2)
    assert paced.fed[-2:] == [b"c", b"d"]
    paced.reading.stop()


@pytest.mark.parametrize("size", [1, PIECE_BYTES + 1])
async def test_nothing_is_handled_after_the_end(size: int) -> None:
    paced = Paced()
    paced.receive(b"a" * size)
    paced.reading.stop()
    await asyncio.sleep(2 * PAUSE_S)
    assert len(paced.fed) == 1
    assert paced.transport.calls == ["pause"]


async def test_a_transport_that_closes_is_not_read_any_more() -> None:
    paced = Paced()
    paced.receive(b"a")
    paced.transport.closing = True
    await asyncio.sleep(2 * PAUSE_S)
    assert paced.transport.calls == ["pause"]


async def test_an_end_within_a_piece_is_the_end() -> None:
    paced = Paced()

    def end(data: bytes) -> None:
        paced.fed.append(data)
        reading.stop()

    reading = PacedReading(end, PAUSE_S)
    reading.receive(b"a" * (2 * PIECE_BYTES), cast(asyncio.Transport, paced.transport))
    await asyncio.sleep(2 * PAUSE_S)
    assert len(paced.fed) == 1
    assert paced.transport.calls == ["pause"]
