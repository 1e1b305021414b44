"""Draining: no newcomers, and by its deadline nobody is left (PROTOCOL.md P-9.2).

While the node drains, the balancer orders its connections away. Whoever is left at the deadline (who is pinned, who
came late, whom the orders did not reach) is closed with 1012 and finds another node through the gateway. That is spread
over a second, so that they do not arrive there in one instant.

A node that was told to stop drains as well, and takes no other word any more.
"""

from math import ceil
from typing import TYPE_CHECKING

import structlog

from ringway.core.membership import TICK_S
from ringway.protocol.close import SERVICE_RESTART
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from ringway.node.shared import Shared

SPREAD_S = 1.0
"""How long the closing at the deadline takes."""

LEFT_MIN_S = 0.001
"""What is reported once the deadline has passed: 0 would say that there is none."""

_log = structlog.get_logger()


class Drain:
    """The node's state, and the deadline of its drain. `now` is monotonic."""

    __slots__ = ("_ends_at", "_shared", "avoid", "stopping")

    def __init__(self, shared: "Shared") -> None:
        self._shared = shared
        self._ends_at: float | None = None
        self.avoid: tuple[NodeName, ...] = ()
        """Nodes that will be drained next; leaders read it from the report, so that it outlives each of them."""
        self.stopping = False
        """Whether the node was told to stop: nobody should change its mind then."""

    def set(self, *, draining: bool, within_s: float, now: float, avoid: tuple[NodeName, ...] = ()) -> None:
        """Drain, by a deadline if `within_s` is above 0, or take newcomers again. The newest call counts."""
        self.avoid = avoid if draining else ()
        self._shared.state = NodeState.DRAINING if draining else NodeState.ACTIVE
        self._ends_at = now + within_s if draining and within_s > 0 else None
        _log.info("state changed", state=self._shared.state.value, within_s=within_s if draining else 0.0)

    def stop(self, within_s: float, now: float) -> None:
        """Drain because the node stops: within `within_s`, or by the deadline that it has where that is earlier."""
        left_s = self.left_s(now)
        within_s = min(within_s, left_s) if left_s else within_s
        self.set(draining=True, within_s=within_s, now=now, avoid=self.avoid)
        self.stopping = True

    def left_s(self, now: float) -> float:
        """How long is left until the deadline; 0 where there is none."""
        return 0.0 if self._ends_at is None else max(LEFT_MIN_S, self._ends_at - now)

    def tick(self, now: float) -> None:
        """Let time pass; call it every `TICK_S`."""
        if self._ends_at is None or now < self._ends_at:
            return
        left = [connection for connection in self._shared.roster if connection.is_usable]
        ticks = max(1, round((self._ends_at + SPREAD_S - now) / TICK_S))
        for connection in left[: ceil(len(left) / ticks)]:
            connection.close(SERVICE_RESTART, "drained")
            self._shared.stats.drained += 1
