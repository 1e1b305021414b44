"""Deadlines at the end of connections: a peer that reads gets more time, a peer that does not read gets none."""

import asyncio
from typing import cast

from ringway.net.deadline import Deadline
from ringway.net.unsent import unsent_bytes


class Line:
    """A transport that has so many bytes under way, as of each look."""

    def __init__(self, *unsent: int) -> None:
        self.unsent = list(unsent)
        self.looks = 0

    def get_write_buffer_size(self) -> int:
        self.looks += 1
        return self.unsent.pop(0) if len(self.unsent) > 1 else self.unsent[0]

    def get_extra_info(self, name: str) -> None:
        assert name == "socket"

    def is_closing(self) -> bool:
        return False


async def looks_until_expired(*unsent: int) -> int:
    line, expired = Line(*unsent), asyncio.Event()
    Deadline(0.0, (cast(asyncio.Transport, line),), expired.set)
    await asyncio.wait_for(expired.wait(), 10)
    return line.looks


async def test_nothing_under_way_ends_at_the_deadline() -> None:
    assert await looks_until_expired(0) == 1


async def test_what_arrives_is_waited_for() -> None:
    assert await looks_until_expired(3000, 2000, 1999, 0) == 4


async def test_who_takes_nothing_is_given_up() -> None:
    assert await looks_until_expired(3000, 2000, 2000) == 3
    assert await looks_until_expired(3000, 3001) == 2


async def test_a_cancelled_one_does_not_expire() -> None:
    line = Line(0)
    deadline = Deadline(0.0, (cast(asyncio.Transport, line),), lambda: None)
    deadline.cancel()
    deadline.cancel()
    await asyncio.sleep(0)
    assert line.looks == 0


def test_a_transport_without_a_socket_has_its_buffer_alone() -> None:
    assert unsent_bytes(cast(asyncio.Transport, Line(7))) == 7
