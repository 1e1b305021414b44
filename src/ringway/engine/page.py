"""Pages of history, cut to a number of publications and of bytes: the bounds of `ports.HistoryStore.read`."""

from collections import deque
from collections.abc import Iterable, Sequence

Publications = list[tuple[int, bytes]]
"""Offset and payload of each publication, in ascending order of offsets."""


def within(found: Sequence[tuple[int, bytes]], limit: int, bytes_max: int) -> Publications:
    """Return the first `limit` of `found`, with up to `bytes_max` of payload; the first is included at any size."""
    size = 0
    for index, (_, payload) in enumerate(found[:limit]):
        size += len(payload)
        if index and size > bytes_max:
            return list(found[:index])
    return list(found[:limit])


def newest_within(found: Sequence[tuple[int, bytes]], limit: int, bytes_max: int) -> Publications:
    """Return the last `limit` of `found`, with up to `bytes_max` of payload; the last is included at any size."""
    return within(found[::-1], limit, bytes_max)[::-1]


class Window:
    """The newest publications of a channel that is read from its beginning: each new one replaces the oldest."""

    def __init__(self, limit: int, bytes_max: int) -> None:
        self._limit = limit
        self._bytes_max = bytes_max
        self._found: deque[tuple[int, bytes]] = deque()
        self._size = 0

    def add_publications(self, publications: Iterable[tuple[int, bytes]], before: int | None) -> None:
        """Add publications, which must follow all that were added before; skip offsets from `before` on."""
        found = self._found
        for publication in publications:
            if before is not None and publication[0] >= before:
                continue
            found.append(publication)
            self._size += len(publication[1])
            while found and (len(found) > self._limit or (self._size > self._bytes_max and len(found) > 1)):
                self._size -= len(found.popleft()[1])

    def publications(self) -> Publications:
        """Return the publications in the window, in ascending order of offsets."""
        return list(self._found)
