"""A little in each turn of the event loop."""

import asyncio

import pytest

from ringway.net.turns import Turns


async def test_what_is_more_than_a_turn_does_waits_for_the_next_ones_in_order() -> None:
    turns, done = Turns(2), list[int]()
    for number in range(5):
        turns.take(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == [0, 1]
    await asyncio.sleep(0)
    turns.take(lambda: done.append(5))
    assert done == [0, 1, 2, 3]
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3, 4, 5]
    await asyncio.sleep(0)
    turns.take(lambda: done.append(6))
    assert done[-1] == 6


async def test_work_that_fails_holds_nothing_up() -> None:
    turns, done = Turns(1), list[int]()

    def fail() -> None:
        raise ValueError("broken")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    with pytest.raises(ValueError, match="broken"):
        turns.take(fail)
    for work in (fail, lambda: done.append(1)):
        turns.take(work)
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == [1]
