"""Ledger of the places that one issuer holds at other nodes.

A gateway that places a client, or a node that moves a client, holds a place at the target until the client has arrived
or `ttl_s` has passed. Without places, all gateways that read reports of a second ago choose the same emptiest node: it
gets 15 times its fair share of arrivals, against 1.0 times with places (tests/property/test_dynamics.py).

Theory: a node reports, per issuer, the number of tickets that it has redeemed since its start. The issuer stores the
end of each place, the oldest first, and drops as many places as that counter has grown. It knows the number of redeemed
tickets, but not which tickets: if a ticket is never redeemed, the place of a younger ticket is dropped instead, and its
own place ends at most one TTL late.
"""

from bisect import insort
from collections import deque
from collections.abc import Hashable
from math import inf
from typing import Generic, TypeVar

from ringway.types import Incarnation

_NEVER = (Incarnation(""), 0)

Where = TypeVar("Where", bound=Hashable)


class Ledger(Generic[Where]):
    """Places held by one issuer: at nodes, or on the way from one node to another. `now` is monotonic, in seconds."""

    __slots__ = ("_ends_at", "_held", "_seen", "ended", "taken", "ttl_s")

    def __init__(self, ttl_s: float = 10.0) -> None:
        self.ttl_s = ttl_s
        self.taken = 0  # tickets that were redeemed so far, by all nodes' reports
        self.ended = 0  # places to which no client came in time, so far
        self._held: dict[Where, deque[float]] = {}
        self._ends_at = inf  # no place ends before this
        self._seen: dict[Where, tuple[Incarnation, int]] = {}

    def hold(self, node: Where, now: float, ttl_s: float | None = None, count: int = 1) -> None:
        """Hold `count` more places at `node`, for `ttl_s` if that is given."""
        held = self._held.setdefault(node, deque())
        ends_at = now + (self.ttl_s if ttl_s is None else ttl_s)
        self._ends_at = min(self._ends_at, ends_at)
        if held and ends_at < held[-1]:
            for _ in range(count):
                insort(held, ends_at)
        else:
            held.extend([ends_at] * count)

    def release(self, node: Where) -> None:
        """Release the place at `node` that would end last: its client could not be sent there."""
        held = self._held.get(node)
        if held:
            held.pop()

    def redeemed(self, node: Where, incarnation: Incarnation, total: int) -> None:
        """Drop the places whose tickets `node` has redeemed: `total` counts from the start of its incarnation.

        Reports come here in their order (`core.membership`), so a smaller counter was begun anew: a node forgets the
        counter of an issuer that was silent for long.
        """
        before, seen = self._seen.get(node, _NEVER)
        if total == seen and (before == incarnation or not total):
            return
        if before != incarnation or total < seen:
            seen = 0
        self._seen[node] = (incarnation, total)
        self.taken += total - seen
        held = self._held.get(node)
        for _ in range(min(total - seen, len(held) if held else 0)):
            held.popleft()  # type: ignore[union-attr]  # the range is empty without it

    def forget(self, node: Where) -> None:
        """Drop all places at a node that is gone."""
        self._held.pop(node, None)
        self._seen.pop(node, None)

    def expire(self, now: float) -> int:
        """Drop the places whose time has passed; return their number."""
        if now < self._ends_at:
            return 0
        ended = 0
        for held in self._held.values():
            while held and held[0] <= now:
                held.popleft()
                ended += 1
        self._ends_at = min((held[0] for held in self._held.values() if held), default=inf)
        self.ended += ended
        return ended

    def count(self, node: Where) -> int:
        """The number of places that are held at `node`."""
        held = self._held.get(node)
        return len(held) if held else 0

    def held(self) -> dict[Where, int]:
        """The places held, by node; nodes without places are left out."""
        return {node: len(times) for node, times in self._held.items() if times}
