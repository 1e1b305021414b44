"""Connection to the memory engine: up, or away by the command of a test or an operator."""

import time
from collections.abc import Callable

from ringway.errors import EngineAway


class MemoryConnection:
    """The state of the connection, the same for all members, and the engine's clock (in seconds)."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.away = False

    def require(self) -> None:
        """Raise `EngineAway` while the engine is away."""
        if self.away:
            raise EngineAway("the memory engine is away")
