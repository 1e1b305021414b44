"""Repeated lines of the log: the first few of each second are written, the rest is counted.

Strangers can cause many events as often as they like: a refused handshake, an unreadable report. So no kind of line is
written more than `per_s_max` times a second; one more line gives the number of lines left out. Lines are of one kind if
they report the same event of the same member.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

KINDS_MAX = 1024
"""Kinds that are counted in one second. All further kinds are counted together."""

BEYOND = ("kinds beyond the bound",)

WINDOW_S = 1.0

ABOUT = ("level", "logger", "member", "node", "backend", "name", "donor", "target", "server")
"""Fields that distinguish events of the same name. Strangers must not choose any of them."""

Event = dict[str, Any]


class Repeats:
    """Counts kinds of lines in windows of one second. Calls `wake` when a summary is due at the end of the window."""

    def __init__(self, per_s_max: int, clock: Callable[[], float], wake: Callable[[], None] = lambda: None) -> None:
        self._per_s_max = per_s_max
        self._clock = clock
        self._wake = wake
        self._lock = threading.RLock()
        self._ends_at = 0.0
        self._seen: dict[tuple[object, ...], int] = {}
        self._last: dict[tuple[object, ...], Event] = {}

    @property
    def pending(self) -> bool:
        """True if lines were left out and no summary was made yet."""
        return bool(self._last)

    def admits(self, event: Mapping[str, Any], origin: str = "") -> bool:
        """Return true if the line of `event` is to be written; otherwise count it for the summary.

        `origin` gives the kind if the text of the event cannot: libraries put addresses and ids into it.
        """
        key = (origin or str(event.get("event")), *(str(event.get(name)) for name in ABOUT))
        with self._lock:
            now = self._clock()
            if now >= self._ends_at and not self._last:
                self._begin(now)
            if key not in self._seen and len(self._seen) >= KINDS_MAX:
                key = BEYOND
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] <= self._per_s_max:
                return True
            first = not self._last
            self._last[key] = {name: value for name, value in event.items() if name not in ("exc_info", "stack_info")}
        if first:
            self._wake()
        return False

    def summaries(self, *, at_once: bool = False) -> list[Event]:
        """Return an event for each kind with lines left out, if the second is over; with `at_once`, end it now."""
        with self._lock:
            now = self._clock()
            if not self._last or (now < self._ends_at and not at_once):
                return []
            left_out = [(event, self._seen[key] - self._per_s_max) for key, event in self._last.items()]
            self._begin(now)
        return [{**event, "repeated": count} for event, count in left_out]

    def _begin(self, now: float) -> None:
        self._ends_at = now + WINDOW_S
        self._seen.clear()
        self._last.clear()
