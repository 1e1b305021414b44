"""Memory of the newest entries: a mapping with a maximum size, whose oldest entry is dropped for a new entry.

For facts that must be remembered for a while, such as members that have left. Every operation takes constant time.
"""

from collections.abc import Hashable, ValuesView
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The newest `entries_max` entries by the time they were added last."""

    __slots__ = ("_entries", "_entries_max")

    def __init__(self, entries_max: int = 1024) -> None:
        self._entries: dict[K, V] = {}
        self._entries_max = entries_max

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> ValuesView[V]:
        """The entries, the oldest first, as a live view."""
        return self._entries.values()

    def add(self, key: K, value: V) -> None:
        """Remember `value` under `key`, as the newest entry; above the maximum, forget the oldest."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]

    def refresh(self, key: K) -> V | None:
        """Make the entry under `key` the newest, and return it; None if there is no entry."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._entries[key] = value
        return value

    def get(self, key: K) -> V | None:
        """Return the entry under `key`; None if there is no entry."""
        return self._entries.get(key)

    def pop(self, key: K) -> V | None:
        """Forget `key`, and return its entry; None if there was no entry."""
        return self._entries.pop(key, None)
