"""Drain: the state of a member, and the deadline by which all connections have ended (PROTOCOL.md P-9.2).

While a member drains, the balancer orders its connections away. The connections that are left at the deadline (pinned,
late, or not named by any order) are closed, and the gateway gives their clients a new node. The closing is spread over
a second, so that the clients do not arrive there in one instant.

A member that stops drains as well, and its state does not change after that.
"""

from math import ceil

from ringway.core.membership import TICK_S
from ringway.logger import get_logger
from ringway.member.holder import C, CloseCause, Holder
from ringway.types import NodeName, NodeState

SPREAD_S = 1.0
"""The time that the closing at the deadline takes."""

LEFT_MIN_S = 0.001
"""The time left that is reported after the deadline: 0 would mean that there is no deadline."""

_log = get_logger()


class Drain:
    """The only owner of the member's state and of its deadline; other parts only read them. `now` is monotonic.

    `cool_down_s` is the time for which connections that were moved here stay, unless the member drains.
    """

    __slots__ = ("_avoid", "_cool_down_s", "_ends_at", "_state", "_stopping", "closed")

    def __init__(self, cool_down_s: float) -> None:
        self._cool_down_s = cool_down_s
        self._state = NodeState.ACTIVE
        self._ends_at: float | None = None
        self._avoid: tuple[NodeName, ...] = ()
        self._stopping = False
        self.closed = 0
        """The number of connections that were closed at a deadline."""

    @property
    def state(self) -> NodeState:
        """`ACTIVE` if the member accepts newcomers, `DRAINING` if it does not."""
        return self._state

    @property
    def avoid(self) -> tuple[NodeName, ...]:
        """Nodes that are drained next. Leaders read them from the report, so a change of leaders does not lose them."""
        return self._avoid

    @property
    def stopping(self) -> bool:
        """True if the member stops: its state does not change any more."""
        return self._stopping

    @property
    def cool_down_s(self) -> float:
        """The time for which connections that were moved here stay; 0 while the member drains."""
        return 0.0 if self._state is NodeState.DRAINING else self._cool_down_s

    def left_s(self, now: float) -> float:
        """Return the seconds until the deadline; 0 if there is none."""
        return 0.0 if self._ends_at is None else max(LEFT_MIN_S, self._ends_at - now)

    def is_overdue(self, now: float) -> bool:
        """True if the deadline, and the time of the closing after it, are over."""
        return self._ends_at is not None and now >= self._ends_at + SPREAD_S

    def set_state(self, *, draining: bool, within_s: float, now: float, avoid: tuple[NodeName, ...] = ()) -> None:
        """Drain, by a deadline if `within_s` is above 0, or accept newcomers again. The newest call counts."""
        self._avoid = avoid if draining else ()
        self._state = NodeState.DRAINING if draining else NodeState.ACTIVE
        self._ends_at = now + within_s if draining and within_s > 0 else None
        _log.info("state changed", state=self._state.value, within_s=within_s if draining else 0.0)

    def begin_stop(self, within_s: float, now: float) -> None:
        """Drain because the member stops: within `within_s`, or by a deadline that was set before and is earlier."""
        left_s = self.left_s(now)
        within_s = min(within_s, left_s) if left_s else within_s
        self.set_state(draining=True, within_s=within_s, now=now, avoid=self._avoid)
        self._stopping = True

    def tick(self, now: float, holder: Holder[C]) -> None:
        """Close some of the connections that are left after the deadline; call it every `TICK_S`."""
        if self._ends_at is None or now < self._ends_at:
            return
        left = holder.usable_connections()
        ticks = max(1, round((self._ends_at + SPREAD_S - now) / TICK_S))
        for connection in left[: ceil(len(left) / ticks)]:
            holder.close_connection(connection, CloseCause.DRAINED)
            self.closed += 1
