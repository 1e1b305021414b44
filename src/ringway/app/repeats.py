"""Lines of the log that say the same: the first few of each second are written, the others are counted.

Many events can be brought about by strangers as often as they like: a handshake that is refused, a report that nobody
understands. So no kind of line is written more than `per_s_max` times a second; one line says how many more there
were. Lines are of one kind where they say the same event of the same member.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

KINDS_MAX = 1024
"""Kinds that are counted in one second. Those beyond are counted as one."""

BEYOND = ("kinds beyond the bound",)

WINDOW_S = 1.0

ABOUT = ("level", "logger", "member", "node", "backend", "name", "donor", "target", "server")
"""Fields that tell events of one name apart. Nothing that strangers choose is among them."""

Event = dict[str, Any]


class Repeats:
    """Counts kinds of lines in windows of one second. `wake` is called when something is due at the window's end."""

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
        """Whether lines were counted that no summary has told yet."""
        return bool(self._last)

    def admits(self, event: Mapping[str, Any], origin: str = "") -> bool:
        """Whether the line of `event` is to be written; else it is counted for the summary.

        `origin` tells its kind where the text of the event does not: libraries put addresses and ids into it.
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
        """Return an event for each kind of which lines were left out, where the second is over or ends `at_once`."""
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
