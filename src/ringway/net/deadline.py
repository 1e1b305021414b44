"""Deadlines for the end of connections, against inactive peers.

A peer that still receives data, even slowly, gets the same time again: a cut would lose data that was sent before the
end. If the peer has received no data since the last expiry, the time is over.
"""

import asyncio
from collections.abc import Callable

from ringway.net.unsent import unsent_bytes


class Deadline:
    """Calls `expire` once, `delay_s` from now or later; `cancel` ends it. `transports` are those whose peers count."""

    __slots__ = ("_delay_s", "_expire", "_timer", "_transports", "_unsent")

    def __init__(self, delay_s: float, transports: tuple[asyncio.Transport, ...], expire: Callable[[], None]) -> None:
        self._delay_s = delay_s
        self._transports = transports
        self._expire = expire
        self._unsent: int | None = None  # bytes under way when it passed last
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._passed)

    def cancel(self) -> None:
        """Cancel the deadline: `expire` will not be called. Idempotent."""
        self._timer.cancel()

    def _passed(self) -> None:
        unsent = sum(map(unsent_bytes, self._transports))
        if unsent and (self._unsent is None or unsent < self._unsent):
            self._unsent = unsent
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._passed)
        else:
            self._expire()
