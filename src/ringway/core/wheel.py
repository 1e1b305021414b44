"""Wheel of deadlines: a timer wheel with one slot a second.

A timer object for each connection would cost more memory than all its other deadlines together, and a heap would cost
O(log n) for each deadline, though most never fire. Here a deadline is an entry in the set of its second (Varghese and
Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 4: one revolution is the longest delay).

Deadlines are rounded down to the beginning of their second, so that a promised bound holds. Seen from a tick, which
comes at the beginning of a second, they are exact; from any other moment they are up to a second early. A caller that
must wait for the whole delay adds a second to it.

Invariant: until a key fires or is dropped, it is in the slot that `put` returned, and in no other slot.
"""

from collections.abc import Hashable
from math import floor
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Wheel(Generic[Key]):
    """Holds keys until their second begins. `now` is monotonic, in seconds; `delay_max_s` is one revolution."""

    __slots__ = ("_second", "_slots")

    def __init__(self, delay_max_s: float, now: float) -> None:
        self._slots: list[set[Key]] = [set() for _ in range(floor(delay_max_s) + 3)]
        self._second = floor(now)

    def __len__(self) -> int:
        return sum(len(slot) for slot in self._slots)

    def put(self, key: Key, delay_s: float, now: float) -> int:
        """Let `key` fire `delay_s` from now, at the earliest in the next second; return its slot, for `drop`.

        Raise `ValueError` for a delay longer than one revolution.
        """
        size = len(self._slots)
        if delay_s > size - 2:
            raise ValueError(f"a delay of {delay_s} s is longer than the wheel's {size - 3} s")
        # Bounded above for a wheel whose ticks are overdue: then `now` is ahead of the wheel's second.
        second = min(max(floor(now + delay_s), self._second + 1), self._second + size - 1)
        slot = second % size
        self._slots[slot].add(key)
        return slot

    def drop(self, key: Key, slot: int) -> None:
        """Drop `key`, which is in `slot`, so that it does not fire. It does nothing if the key has fired."""
        self._slots[slot].discard(key)

    def due_in_s(self, slot: int, now: float) -> float:
        """Return the seconds until the keys in `slot` fire; 0 if they are overdue."""
        size = len(self._slots)
        second = self._second + 1 + (slot - self._second - 1) % size
        return max(0.0, second - now)

    def tick(self, now: float) -> list[Key]:
        """Return the keys whose second has begun since the last call, earliest second first."""
        due: list[Key] = []
        until = floor(now)
        size = len(self._slots)
        for second in range(self._second + 1, min(until, self._second + size) + 1):
            slot = self._slots[second % size]
            if slot:
                due.extend(slot)
                slot.clear()
        self._second = max(self._second, until)
        return due
