"""Shutdown of a draining node: the conditions under which it may end.

Theory of operation
- The node ends when it has no client and no client is on the way to it: for some seconds clients come with earlier
  tickets. Gateways report the places that they hold, so the node waits until each gateway, after hearing of the drain,
  has sent a report.
- The node ends when its time is over. At the deadline it closes the clients that are left (`member.drain`), which lasts
  a moment: that time is included, and the node does not wait longer for a client that does not answer.
- The node ends at once if a drain is useless because there is no other node. If no gateway is heard, no balancer orders
  moves, and the node ends after `HEARD_S`: a node that has just started has not heard the gateways yet. Otherwise, if
  no other node accepts connections, it waits for `NOWHERE_S`: a member that restarts is away for a moment as well, and
  a gateway that has just started knows no node that accepts connections. If all nodes of a cluster must stop, each node
  sees within a second that the other nodes drain, and ends soon.
"""

import enum

from ringway.core.membership import LATEST_S

HEARD_S = LATEST_S + 0.3
"""After this time every gateway has heard that the node drains, and has reported since."""

NOWHERE_S = 3.0
"""The time without other nodes or gateways after which the node does not wait any more."""


class End(enum.StrEnum):
    """Why a shutdown is over; completes the sentence "stopping: ..."."""

    EMPTY = "all clients have left"
    DEADLINE = "the time to drain is over"
    NOWHERE = "no other node takes connections, so there is nowhere to drain to"
    UNLED = "no gateway is there that could move the clients"


class ShutdownConditions:
    """One drain before a stop: `within_s`, and `closing_s` to close the clients that are left. `now` is monotonic."""

    def __init__(self, within_s: float, closing_s: float, now: float) -> None:
        self._began_at = now
        self._gone_at = now + within_s + closing_s
        self._alone_since: float | None = None
        self._led = False

    def observe(self, now: float, *, left: int, coming: int, others: int, takers: int, gateways: int) -> End | None:
        """Return the reason to end now; None if the node must wait.

        `left` counts the open connections and handshakes, `coming` the places that other members hold here, `others`
        the other nodes, `takers` those of them that accept connections, `gateways` the gateways that are alive.
        """
        if not left and not coming and (now >= self._began_at + HEARD_S or not gateways):
            return End.EMPTY
        if now >= self._gone_at:
            return End.DEADLINE
        if not gateways and not self._led:
            return End.UNLED if now >= self._began_at + HEARD_S else None
        first, self._led = not self._led, True  # a leader that dies later is replaced
        if takers:
            self._alone_since = None
            return None
        if self._alone_since is None:
            self._alone_since = now
        return End.NOWHERE if (first and not others) or now >= self._alone_since + NOWHERE_S else None
