"""Turns: a crowd's work is divided among turns of the event loop, so that other clients have their turns between."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Does at most `most` pieces of work in one turn, in the order of their arrival.

    Invariant: the next turn is scheduled exactly while a piece of the present turn is used.
    """

    __slots__ = ("_left", "_most", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, work: Callable[[], None]) -> None:
        """Do `work` now, or in the first turn that has room for it."""
        if not self._left:
            self._waiting.append(work)
            return
        if self._left == self._most:
            asyncio.get_running_loop().call_soon(self._next)
        self._left -= 1
        work()

    def _next(self) -> None:
        self._left = self._most
        for _ in range(min(self._most, len(self._waiting))):
            self.take(self._waiting.popleft())
