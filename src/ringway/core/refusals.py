"""Refusals by bounds per address, gathered so that the log has one line of them a second at most, whatever comes."""

from collections import Counter

TELL_S = 1.0


class Refusals:
    """The refusals since the last report of them. `now` is monotonic."""

    __slots__ = ("_address", "_counts", "_told_at")

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._address = ""
        self._told_at = -TELL_S

    def add(self, address: str, bound: str) -> None:
        """Count one that `address` was refused, since it had reached `bound`."""
        self._counts[bound] += 1
        self._address = address

    def due(self, now: float) -> tuple[str, dict[str, int]] | None:
        """Return the address that was refused last, and counts by bound; None if there is nothing to tell yet."""
        if not self._counts or now - self._told_at < TELL_S:
            return None
        self._told_at = now
        counts = dict(self._counts)
        self._counts.clear()
        return self._address, counts
