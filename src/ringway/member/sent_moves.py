"""Connections that this member moved away: their counts, and the places that are held for them until they arrive."""

from collections.abc import Callable

from ringway.core.load.reservation import Ledger
from ringway.core.membership import MembershipEvent
from ringway.types import Incarnation, NodeName

MOVED_KEEP_S = 600.0
"""The time for which a target is reported after the last move there."""


class SentMoves:
    """The moves by target. A listener of `Feed`, for what gateways report; `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.moved: dict[NodeName, int] = {}
        """Connections sent to each target that got a connection in the last `MOVED_KEEP_S`; part of each report."""
        self.total = 0
        """Connections sent, to all targets."""
        self.missed = 0
        """Connections sent that did not arrive at their place in time; part of each report."""
        self.ledger: Ledger[NodeName] = Ledger()
        """The places held for these connections; reports carry the places that are still held."""
        self._moved_at: dict[NodeName, float] = {}
        self._clock = clock

    def count_move(self, target: NodeName, ttl_s: float | None = None) -> None:
        """Count a connection that is sent to `target`, and hold a place for it there, for `ttl_s` if that is given."""
        now = self._clock()
        self.ledger.hold(target, now, ttl_s)
        self._moved_at[target] = now
        self.moved[target] = self.moved.get(target, 0) + 1
        self.total += 1

    def on_taken(self, target: NodeName, incarnation: Incarnation, count: int) -> None:
        """Release the places that `target` says are occupied: `count` since the start of its incarnation."""
        self.ledger.redeemed(target, incarnation, count)

    def on_event(self, event: MembershipEvent) -> None:
        """Release all places at nodes that a gateway names as gone."""
        for name in event.report.gone:
            if name in self.moved:
                self._forget(name)

    def tick(self) -> None:
        """Release the places to which no client came in time, and drop targets of long ago."""
        now = self._clock()
        self.missed += self.ledger.expire(now)
        for target in [target for target, at in self._moved_at.items() if at + MOVED_KEEP_S <= now]:
            self._forget(target)

    def _forget(self, target: NodeName) -> None:
        self.ledger.forget(target)
        self.moved.pop(target, None)
        self._moved_at.pop(target, None)
