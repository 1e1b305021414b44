"""Pages of history, cut to a number of publications and of bytes: the bounds of `ports.History.read`."""

from collections import deque
from collections.abc import Iterable, Sequence

Publications = list[tuple[int, bytes]]


def within(found: Sequence[tuple[int, bytes]], limit: int, bytes_max: int) -> Publications:
    """Return the first `limit` of `found`, up to `bytes_max` of payload; the first one is there however long."""
    size = 0
    for index, (_, payload) in enumerate(found[:limit]):
        size += len(payload)
        if index and size > bytes_max:
            return list(found[:index])
    return list(found[:limit])


def newest_within(found: Sequence[tuple[int, bytes]], limit: int, bytes_max: int) -> Publications:
    """Return the last `limit` of `found`, up to `bytes_max` of payload; the last one is there however long."""
    return within(found[::-1], limit, bytes_max)[::-1]


class Window:
    """The newest publications of a channel that is read from its beginning; older ones go as newer ones come."""

    def __init__(self, limit: int, bytes_max: int) -> None:
        self._limit = limit
        self._bytes_max = bytes_max
        self._found: deque[tuple[int, bytes]] = deque()
        self._size = 0

    def add(self, publications: Iterable[tuple[int, bytes]], before: int | None) -> None:
        """Take publications that come after all that were taken; let those from the offset `before` on pass by."""
        found = self._found
        for one in publications:
            if before is not None and one[0] >= before:
                continue
            found.append(one)
            self._size += len(one[1])
            while found and (len(found) > self._limit or (self._size > self._bytes_max and len(found) > 1)):
                self._size -= len(found.popleft()[1])

    def publications(self) -> Publications:
        """Return what is there, in ascending order."""
        return list(self._found)
