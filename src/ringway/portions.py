"""Portions of work: many items are handled a few at a time, and the event loop has its turn in between.

A source of backends may bring thousands at once. Whoever handled them in one turn would stop all traffic meanwhile.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Portions(Generic[T]):
    """Items that wait for `handle`, which gets at most `portion_max` of them in one turn of the event loop.

    They are handled in their order; an item that waits already is not added again. A few are handled before `add`
    returns, so that a single change has its effect at once. Without a running event loop, all are. There is no maximum:
    each item waits once, and its owner bounds the items that there are.
    """

    __slots__ = ("_due", "_handle", "_handled", "_is_handling", "_next", "_portion_max")

    def __init__(self, handle: Callable[[Sequence[T]], None], portion_max: int) -> None:
        self._handle = handle
        self._portion_max = portion_max
        self._due: OrderedDict[T, None] = OrderedDict()
        self._handled = 0  # in this turn
        self._is_handling = False
        self._next: asyncio.Handle | None = None

    def __len__(self) -> int:
        """The items that wait."""
        return len(self._due)

    def add(self, items: Iterable[T]) -> None:
        """Have `items` handled: now, as far as the portion of this turn goes, and in the next turns."""
        for item in items:
            self._due.setdefault(item)
        while self._due and not self._is_handling and self._handled < self._portion_max:
            self._handle_some()

    def drop(self) -> None:
        """Handle no item that waits now."""
        self._due.clear()

    def _handle_some(self) -> None:
        """Handle items up to the portion of this turn; the next turn begins with a portion of its own."""
        count = min(len(self._due), self._portion_max - self._handled)
        portion = [self._due.popitem(last=False)[0] for _ in range(count)]
        self._handled += count
        self._end_turn_soon()
        self._is_handling = True
        try:
            self._handle(portion)
        finally:
            self._is_handling = False

    def _end_turn_soon(self) -> None:
        if self._next is None:
            try:
                self._next = asyncio.get_running_loop().call_soon(self._begin_turn)
            except RuntimeError:  # no loop runs that could wait
                self._handled = 0

    def _begin_turn(self) -> None:
        self._next, self._handled = None, 0
        self.add(())
