"""An event loop in fake time: an hour of waiting ends at once, and everything happens in the right order.

For tests of shells over the memory engine, where only timers decide when something happens. Not for real sockets and
threads: fake time would not wait for them.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """A selector that lets the clock jump by `timeout` instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("every task waits, and no timer is set: in fake time nothing will ever happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in fake time: `time()` begins at 0, and jumps to the next timer when all tasks wait."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """The fake monotonic time, in seconds."""
        return self._jump.now


def run_in_fake_time(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a new `FakeTimeLoop` and return its result."""
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(main)
