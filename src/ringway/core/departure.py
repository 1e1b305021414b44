"""Departure of a draining node that was told to stop: when it may end.

Theory of operation
- The node ends when it has no client and no client is on the way to it: for some seconds clients come with earlier
  tickets. Gateways report the places that they hold, so the node waits until each gateway has reported since it heard
  of the drain.
- The node ends when its time is over. At the deadline it closes the clients that are left (`node.drain`), which takes a
  moment: that time is included, and a client that does not answer is not waited for longer.
- The node ends at once if there is nothing to drain to: no other node takes connections, or no balancer orders moves.
  If all nodes of a cluster are told to stop, each sees the others drain within a second, and none waits for long.
  A member that restarts is away for a moment as well; so the others may be missing for `NOWHERE_S` after the beginning.
"""

import enum

from ringway.core.membership import LATEST_S

HEARD_S = LATEST_S + 0.3
"""After this long every gateway has heard that the node drains, and has reported since."""

NOWHERE_S = 3.0
"""How long there may be nobody else before there is nothing to wait for."""


class End(enum.StrEnum):
    """Why a departure is over; completes the sentence "stopping: ..."."""

    EMPTY = "all clients have left"
    DEADLINE = "the time to drain is over"
    NOWHERE = "no other node takes connections, so there is nowhere to drain to"
    UNLED = "no gateway is there that could move the clients"


class Departure:
    """One drain before a stop: `within_s`, and `closing_s` to close the clients that are left. `now` is monotonic."""

    def __init__(self, within_s: float, closing_s: float, now: float) -> None:
        self._began_at = now
        self._gone_at = now + within_s + closing_s
        self._alone_since: float | None = None
        self._looked = False

    def observe(self, now: float, *, left: int, coming: int, takers: int, gateways: int) -> End | None:
        """Return why to go now, or None: not yet.

        `left` are the open connections and handshakes, `coming` the places that others hold here, `takers` the other
        nodes that take connections, `gateways` those that are alive.
        """
        if not left and not coming and (now >= self._began_at + HEARD_S or not gateways):
            return End.EMPTY
        if now >= self._gone_at:
            return End.DEADLINE
        first, self._looked = not self._looked, True
        if not gateways and first:
            return End.UNLED  # a leader that dies later is replaced: the deadline bounds the wait
        if takers:
            self._alone_since = None
            return None
        if self._alone_since is None:
            self._alone_since = now
        return End.NOWHERE if first or now >= self._alone_since + NOWHERE_S else None
