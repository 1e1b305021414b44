"""Tickets redeemed at this member, counted by their issuer; the counts go out in its reports.

An issuer reads from them how many of the places that it holds here were taken (`core.load.reservation`).
"""

from collections.abc import Callable

from ringway.core.membership import MemberJoined, MemberLeft, MembershipEvent
from ringway.core.recent import Recent
from ringway.types import Incarnation, Issuer, Role

TAKEN_KEEP_S = 60.0
"""How long the count of an issuer is reported after its last report or its last ticket."""

ISSUERS_MAX = 4096
"""Issuers that are counted at one time; for a new issuer, the one that was heard longest ago is dropped."""


class RedeemedTickets:
    """The counts by issuer. A listener of `Feed`; `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.taken: dict[Issuer, int] = {}
        self._clock = clock
        self._heard_at: dict[Issuer, float] = {}
        self._nodes: set[Incarnation] = set()  # of nodes that are alive
        self._former_nodes: Recent[Incarnation, None] = Recent()  # and of nodes that have left

    def count_ticket(self, issuer: Issuer) -> None:
        """Count one redeemed ticket of `issuer`."""
        if issuer not in self.taken and len(self.taken) >= ISSUERS_MAX:
            oldest = min(self.taken, key=lambda known: self._heard_at.get(known, 0.0))
            del self.taken[oldest]
            self._heard_at.pop(oldest, None)
        self.taken[issuer] = self.taken.get(issuer, 0) + 1
        self._heard_at[issuer] = self._clock()

    def is_node(self, issuer: Issuer) -> bool:
        """Whether `issuer` is a node, or was a node until lately: a ticket of a node is that of a move."""
        incarnation = Incarnation(issuer)
        return incarnation in self._nodes or incarnation in self._former_nodes

    def on_event(self, event: MembershipEvent) -> None:
        """Note which incarnations are nodes, and which issuers are alive."""
        report = event.report
        if isinstance(event, MemberLeft):
            if report.role is Role.NODE:
                self._nodes.discard(report.incarnation)
                self._former_nodes.add(report.incarnation, None)
            return
        issuer = Issuer(report.incarnation)
        if issuer in self.taken:
            self._heard_at[issuer] = self._clock()
        if isinstance(event, MemberJoined) and report.role is Role.NODE:
            self._nodes.add(report.incarnation)

    def tick(self) -> None:
        """Drop the counts of issuers that were not heard for `TAKEN_KEEP_S`."""
        now = self._clock()
        for issuer in [issuer for issuer, at in self._heard_at.items() if at + TAKEN_KEEP_S <= now]:
            del self._heard_at[issuer]
            self.taken.pop(issuer, None)
