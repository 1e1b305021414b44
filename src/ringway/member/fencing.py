"""Gives up all clients of a node that was stopped for longer than its lease (`core.fence`).

They are closed with 1012 within a second, not in one instant, and come back through the gateway: to this node as well,
since it goes on reporting and is a member again.
"""

import time
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

import structlog

from ringway.core.fence import Fence
from ringway.core.membership import TICK_S
from ringway.member.process import queued_s
from ringway.protocol.close import SERVICE_RESTART

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

SPREAD_S = 1.0
"""How long the closing takes."""

_log = structlog.get_logger()


def since_boot() -> float:
    """The time since the machine was started, suspended or not; monotonic."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Fencing:
    """Beats for the fence, and closes the clients that it gives up."""

    __slots__ = ("_clock", "_fence", "_giving_up", "_shared", "_ticks")

    def __init__(self, shared: "Shared", clock: Callable[[], float] = since_boot) -> None:
        self._shared = shared
        self._clock = clock
        self._fence = Fence(clock(), time.process_time(), queued_s())
        self._giving_up: list[Connection] = []
        self._ticks = 0

    def tick(self, reports: int) -> None:
        """Let time pass; `reports` is the number of the node's last report. Call it every `TICK_S`."""
        if self._fence.beat(self._clock(), time.process_time(), queued_s(), reports):
            self._giving_up = [connection for connection in self._shared.roster if connection.is_usable]
            self._ticks = round(SPREAD_S / TICK_S)
            _log.error(
                "this process was stopped for so long that others have given it up; its clients are sent away",
                connections=len(self._giving_up),
            )
        if self._giving_up:
            self._close_some()

    def _close_some(self) -> None:
        count = ceil(len(self._giving_up) / max(1, self._ticks))
        self._ticks -= 1
        some, self._giving_up = self._giving_up[:count], self._giving_up[count:]
        for connection in some:
            if connection.is_usable:
                connection.close(SERVICE_RESTART, "fenced")
                self._shared.stats.fenced += 1
