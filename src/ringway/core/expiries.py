"""Expiries of the few: keys whose time comes, in a heap. All other keys cost nothing.

A deadline that is dropped or replaced stays in the heap until its time, or until the heap is mostly such entries: then
it is built anew. So its size is bounded by that of the living, also if deadlines are years away.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

SLACK = 64
"""Entries without effect that are tolerated in any heap."""


class Expiries(Generic[Key]):
    """One deadline of each key. Times are of any one clock, in seconds."""

    __slots__ = ("_at", "_heap", "_number")

    def __init__(self) -> None:
        self._at: dict[Key, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._at)

    @property
    def heap_size(self) -> int:
        """The number of entries in the heap, those without effect included."""
        return len(self._heap)

    def put(self, key: Key, at: float) -> None:
        """Let `key` be due at `at`, and at no other time."""
        if key in self._at and self._at[key][0] == at:
            return
        self._number += 1  # keys need no order: no two entries compare equal before them
        self._at[key] = at, self._number
        heapq.heappush(self._heap, (at, self._number, key))
        self._compact()

    def drop(self, key: Key) -> None:
        """Forget the deadline of `key`, if it has one."""
        if self._at.pop(key, None) is not None:
            self._compact()

    def due(self, now: float) -> list[Key]:
        """Return the keys whose deadlines have come, the earliest first, and forget these deadlines."""
        found: list[Key] = []
        while self._heap and self._heap[0][0] <= now:
            at, number, key = heapq.heappop(self._heap)
            if self._at.get(key) == (at, number):
                del self._at[key]
                found.append(key)
        return found

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._at) + SLACK:
            self._heap = [(at, number, key) for key, (at, number) in self._at.items()]
            heapq.heapify(self._heap)
