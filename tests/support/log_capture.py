"""Events of the log, collected for tests in place of writing them."""

from collections.abc import Iterator
from contextlib import contextmanager

from ringway.logger import LEVELS, Event, logging_to


@contextmanager
def capture_logs() -> Iterator[list[Event]]:
    """Collect events in place of writing them; `log_level` says their level."""
    events: list[Event] = []

    def keep(event: Event) -> None:
        level = event.pop("level")
        events.append({**event, "log_level": level})

    with logging_to(keep, LEVELS["debug"]):
        yield events
