"""The ledger of places that one issuer holds at other nodes.

Whoever sends a client to a node (a gateway that places it, a node that moves it) holds a place there until the
client has arrived or `ttl_s` has passed. Without that, everybody who looks at reports of a second ago chooses
the same emptiest node: 15 times its fair share of arrivals, against 1.0 with places (research: load-balancing §0.4).

Theory: a node reports, per issuer, how many tickets it has redeemed since it started. The issuer keeps the times
of issue, oldest first, and drops as many as that counter has grown. It cannot tell which tickets came, only how many:
a ticket that is never redeemed makes a younger one be dropped in its place, and itself ends at most one TTL late.
"""

from collections import deque

from ringway.types import Incarnation, NodeName


class Ledger:
    """Places held at nodes by one issuer. `now` is monotonic, in seconds."""

    __slots__ = ("_held", "_seen", "ttl_s")

    def __init__(self, ttl_s: float = 10.0) -> None:
        self.ttl_s = ttl_s
        self._held: dict[NodeName, deque[float]] = {}
        self._seen: dict[NodeName, tuple[Incarnation, int]] = {}

    def hold(self, node: NodeName, now: float) -> None:
        """Hold one more place at `node`."""
        self._held.setdefault(node, deque()).append(now)

    def release(self, node: NodeName) -> None:
        """Give up the newest place at `node`: its client could not be sent there."""
        held = self._held.get(node)
        if held:
            held.pop()

    def redeemed(self, node: NodeName, incarnation: Incarnation, total: int) -> None:
        """Drop the places that `node` says were taken: `total` counts from the start of its incarnation."""
        before, seen = self._seen.get(node, (incarnation, 0))
        if before != incarnation:
            seen = 0
        self._seen[node] = (incarnation, total)
        held = self._held.get(node)
        for _ in range(min(total - seen, len(held) if held else 0)):
            held.popleft()  # type: ignore[union-attr]  # the range is empty without it

    def forget(self, node: NodeName) -> None:
        """Drop everything about a node that is gone."""
        self._held.pop(node, None)
        self._seen.pop(node, None)

    def expire(self, now: float) -> None:
        """Drop the places whose time has passed."""
        for held in self._held.values():
            while held and held[0] + self.ttl_s <= now:
                held.popleft()

    def count(self, node: NodeName) -> int:
        """How many places are held at `node`."""
        held = self._held.get(node)
        return len(held) if held else 0

    def held(self) -> dict[NodeName, int]:
        """The places held, by node; nodes without any are left out."""
        return {node: len(times) for node, times in self._held.items() if times}
