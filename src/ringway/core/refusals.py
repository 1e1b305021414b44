"""Refusals by bounds per address, collected so that the log gets at most one line of them a second."""

from collections import Counter

TELL_S = 1.0


class Refusals:
    """The refusals since the last log line. `now` is monotonic."""

    __slots__ = ("_address", "_counts", "_told_at")

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._address = ""
        self._told_at = -TELL_S

    def add(self, address: str, bound: str) -> None:
        """Count a refusal: `address` had reached `bound`."""
        self._counts[bound] += 1
        self._address = address

    def due(self, now: float) -> tuple[str, dict[str, int]] | None:
        """Return the address that was refused last, and the counts by bound; None if no log line is due."""
        if not self._counts or now - self._told_at < TELL_S:
            return None
        self._told_at = now
        counts = dict(self._counts)
        self._counts.clear()
        return self._address, counts
