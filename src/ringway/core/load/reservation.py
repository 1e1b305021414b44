"""Ledger of the places that one issuer holds at other nodes.

A gateway that places a client, or a node that moves one, holds a place at the target until the client has arrived or
`ttl_s` has passed. Without places, all gateways that read reports of a second ago choose the same emptiest node: it
gets 15 times its fair share of arrivals, against 1.0 times with places (tests/property/test_dynamics.py).

Theory: a node reports, per issuer, how many tickets it has redeemed since it started. The issuer keeps when each
place ends, oldest first, and drops as many as that counter has grown. It cannot tell which tickets came, only how many:
a ticket that is never redeemed makes a younger one be dropped in its place, and itself ends at most one TTL late.
"""

from bisect import insort
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from ringway.types import Incarnation

Where = TypeVar("Where", bound=Hashable)


class Ledger(Generic[Where]):
    """Places held by one issuer: at nodes, or on the way from one node to another. `now` is monotonic, in seconds."""

    __slots__ = ("_held", "_seen", "ended", "taken", "ttl_s")

    def __init__(self, ttl_s: float = 10.0) -> None:
        self.ttl_s = ttl_s
        self.taken = 0  # tickets that were redeemed so far, as all nodes say
        self.ended = 0  # places that nobody took in time, so far
        self._held: dict[Where, deque[float]] = {}
        self._seen: dict[Where, tuple[Incarnation, int]] = {}

    def hold(self, node: Where, now: float, ttl_s: float | None = None) -> None:
        """Hold one more place at `node`, for `ttl_s` if that is given."""
        held = self._held.setdefault(node, deque())
        ends_at = now + (self.ttl_s if ttl_s is None else ttl_s)
        if held and ends_at < held[-1]:
            insort(held, ends_at)
        else:
            held.append(ends_at)

    def release(self, node: Where) -> None:
        """Give up the last place to end at `node`: its client could not be sent there."""
        held = self._held.get(node)
        if held:
            held.pop()

    def redeemed(self, node: Where, incarnation: Incarnation, total: int) -> None:
        """Drop the places that `node` says were taken: `total` counts from the start of its incarnation.

        Reports come here in their order (`core.membership`), so a counter that fell was begun anew: a node forgets the
        counter of an issuer that it has not heard for long.
        """
        before, seen = self._seen.get(node, (incarnation, 0))
        if before != incarnation or total < seen:
            seen = 0
        self._seen[node] = (incarnation, total)
        self.taken += total - seen
        held = self._held.get(node)
        for _ in range(min(total - seen, len(held) if held else 0)):
            held.popleft()  # type: ignore[union-attr]  # the range is empty without it

    def forget(self, node: Where) -> None:
        """Drop everything about a node that is gone."""
        self._held.pop(node, None)
        self._seen.pop(node, None)

    def expire(self, now: float) -> int:
        """Drop the places whose time has passed; return how many."""
        ended = 0
        for held in self._held.values():
            while held and held[0] <= now:
                held.popleft()
                ended += 1
        self.ended += ended
        return ended

    def count(self, node: Where) -> int:
        """How many places are held at `node`."""
        held = self._held.get(node)
        return len(held) if held else 0

    def held(self) -> dict[Where, int]:
        """The places held, by node; nodes without any are left out."""
        return {node: len(times) for node, times in self._held.items() if times}
