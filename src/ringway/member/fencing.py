"""Fencing: the connections of a member that was stopped for longer than its lease are closed (`core.fence`).

They are closed within a second, not in one instant. Their clients come back through the gateway, to this member as
well: it continues to report, and is a member again.
"""

import time
from collections.abc import Callable
from math import ceil
from typing import Generic

from ringway.core.fence import Fence
from ringway.core.membership import TICK_S
from ringway.logger import get_logger
from ringway.member.holder import C, CloseCause, Holder
from ringway.member.process import queued_s

SPREAD_S = 1.0
"""The time that the closing takes."""

_log = get_logger()


def since_boot() -> float:
    """Return the seconds since the machine was started, suspended or not; monotonic."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Fencing(Generic[C]):
    """Detects at each tick that this process was stopped. `clock` goes on while the machine is suspended."""

    __slots__ = ("_clock", "_fence", "_given_up", "_holder", "_ticks")

    def __init__(self, holder: Holder[C], clock: Callable[[], float] = since_boot) -> None:
        self._holder = holder
        self._clock = clock
        self._fence = Fence(clock(), time.process_time(), queued_s())
        self._given_up: list[C] = []
        self._ticks = 0

    def tick(self, reports: int) -> None:
        """Let time pass; `reports` is the number of the member's last report. Call it every `TICK_S`."""
        if self._fence.beat(self._clock(), time.process_time(), queued_s(), reports):
            self._given_up = self._holder.usable_connections()
            self._ticks = round(SPREAD_S / TICK_S)
            _log.error(
                "this process was stopped for so long that others have given it up; its clients are sent away",
                connections=len(self._given_up),
            )
        if self._given_up:
            self._close_some()

    def _close_some(self) -> None:
        count = ceil(len(self._given_up) / max(1, self._ticks))
        self._ticks -= 1
        some, self._given_up = self._given_up[:count], self._given_up[count:]
        for connection in some:
            if connection.is_usable:
                self._holder.close_connection(connection, CloseCause.FENCED)
