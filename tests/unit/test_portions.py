"""Portions: how many items are handled in one turn of the event loop."""

import asyncio
from collections.abc import Sequence

from ringway.portions import Portions


class Handled:
    """Portions of at most 3, with what was handled in each turn of the loop."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = [[]]
        self.portions: Portions[int] = Portions(self._handle, 3)

    def _handle(self, items: Sequence[int]) -> None:
        self.turns[-1] += items

    async def pass_turns(self) -> None:
        """Let the loop turn until nothing waits, and once more."""
        for _ in range(20):
            self.turns.append([])
            await asyncio.sleep(0)

    @property
    def busy_turns(self) -> list[list[int]]:
        return [turn for turn in self.turns if turn]


async def test_many_items_are_handled_in_their_order_some_in_each_turn_of_the_loop() -> None:
    handled = Handled()
    handled.portions.add(range(8))
    assert (handled.turns, len(handled.portions)) == ([[0, 1, 2]], 5)
    await handled.pass_turns()
    assert handled.busy_turns == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert len(handled.portions) == 0


async def test_single_items_have_one_portion_together_in_one_turn() -> None:
    handled = Handled()
    for item in range(5):
        handled.portions.add([item])
    assert handled.turns == [[0, 1, 2]]
    await handled.pass_turns()
    handled.portions.add([5])
    assert handled.turns[-1] == [5], "a later turn has a portion of its own"
    assert handled.busy_turns == [[0, 1, 2], [3, 4], [5]]


async def test_an_item_that_waits_is_handled_once() -> None:
    handled = Handled()
    handled.portions.add([1, 2, 3, 4, 5, 4, 5])
    handled.portions.add([5, 6])
    await handled.pass_turns()
    assert handled.busy_turns == [[1, 2, 3], [4, 5, 6]]


async def test_items_that_are_dropped_are_not_handled() -> None:
    handled = Handled()
    handled.portions.add(range(8))
    handled.portions.drop()
    await handled.pass_turns()
    assert handled.busy_turns == [[0, 1, 2]]


async def test_a_portion_that_fails_does_not_stop_the_rest() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    seen: list[int] = []

    def handle(items: Sequence[int]) -> None:
        seen.extend(items)
        if 2 in items:
            raise ValueError("two")

    portions: Portions[int] = Portions(handle, 1)
    portions.add([1, 2, 3])
    for _ in range(10):
        await asyncio.sleep(0)
    assert (seen, told) == ([1, 2, 3], ["two"])


async def test_what_is_added_while_a_portion_is_handled_waits_for_its_end() -> None:
    seen: list[list[int]] = []

    def handle(items: Sequence[int]) -> None:
        if items == [1]:
            portions.add([2])
        seen.append(list(items))

    portions: Portions[int] = Portions(handle, 5)
    portions.add([1])
    assert seen == [[1], [2]]


def test_without_a_loop_all_are_handled_at_once() -> None:
    handled = Handled()
    handled.portions.add(range(8))
    assert handled.turns == [list(range(8))]
