"""What a node must know of the other members: which places it held were taken, who issues tickets, where gateways are.

The node hears every report (`ports.Registry`), as the gateways do; it keeps no load view, since it places nobody.
"""

import structlog

from ringway.core.load.reservation import Ledger
from ringway.core.membership import MemberJoined, MemberLeft, MemberReported, Membership, MembershipEvent
from ringway.core.recent import Recent
from ringway.errors import ProtocolError
from ringway.protocol.origin import origins_at
from ringway.protocol.report import Report, decode_report
from ringway.types import Incarnation, Issuer, NodeName, Role

TAKEN_KEEP_S = 60.0
"""How long the count of an issuer's tickets is told after it was last heard or its last ticket came."""

ISSUERS_MAX = 4096
"""Issuers that are counted at one time; the one heard longest ago is dropped for a new one."""

_log = structlog.get_logger()


class Peers:
    """The other members as one node sees them. `now` is monotonic."""

    def __init__(self, own: Incarnation, ledger: Ledger[NodeName]) -> None:
        self.membership = Membership()
        self.ledger = ledger
        self.taken: dict[Issuer, int] = {}  # tickets redeemed here, by issuer; goes out in our report
        self.moved: dict[NodeName, int] = {}  # connections sent there; goes out in our report
        self.missed = 0  # connections sent away that did not come to their place in time; goes out in our report
        self.gateway_origins: tuple[str, ...] = ()
        self._own = own
        self._heard_at: dict[Issuer, float] = {}
        self._nodes: set[Incarnation] = set()  # incarnations of nodes that live
        self._former_nodes: Recent[Incarnation, None] = Recent()  # and of those that have left

    def heard(self, name: NodeName, raw: bytes | None, now: float) -> None:
        """Take one report or withdrawal from the registry."""
        if raw is None:
            self._apply(self.membership.withdrawn(name), now)
            return
        try:
            report = decode_report(raw)
        except ProtocolError as error:
            _log.warning("a report was not understood", member=name, error=str(error))
            return
        self._apply(self.membership.heard(report, now), now)

    def tick(self, now: float, *, engine_up: bool) -> None:
        """Let time pass; call it every `membership.TICK_S`."""
        self.membership.engine_up(engine_up, now)
        self._apply(self.membership.tick(now), now)
        self.missed += self.ledger.expire(now)
        for issuer in [issuer for issuer, at in self._heard_at.items() if at + TAKEN_KEEP_S <= now]:
            del self._heard_at[issuer]
            self.taken.pop(issuer, None)

    def redeemed(self, issuer: Issuer, now: float) -> None:
        """Count a ticket of `issuer`."""
        if issuer not in self.taken and len(self.taken) >= ISSUERS_MAX:
            oldest = min(self.taken, key=lambda known: self._heard_at.get(known, 0.0))
            del self.taken[oldest]
            self._heard_at.pop(oldest, None)
        self.taken[issuer] = self.taken.get(issuer, 0) + 1
        self._heard_at[issuer] = now

    def is_node(self, issuer: Issuer) -> bool:
        """Whether `issuer` is a node, or was one of late: its tickets are moves."""
        incarnation = Incarnation(issuer)
        return incarnation in self._nodes or incarnation in self._former_nodes

    def nodes_alive(self) -> int:
        """How many nodes are heard, this one included once its own report has come back."""
        return sum(report.role is Role.NODE for report in self.membership.members.values())

    def _apply(self, events: list[MembershipEvent], now: float) -> None:
        for event in events:
            report = event.report
            if isinstance(event, MemberLeft):
                self._left(report)
            else:
                self._reported(report, now)
            if report.role is Role.GATEWAY and not isinstance(event, MemberReported):
                self._gateways_changed()
            if isinstance(event, MemberJoined) and report.role is Role.NODE:
                self._nodes.add(report.incarnation)

    def _left(self, report: Report) -> None:
        self.ledger.forget(report.name)
        self.moved.pop(report.name, None)
        if report.role is Role.NODE:
            self._nodes.discard(report.incarnation)
            self._former_nodes.add(report.incarnation, None)

    def _reported(self, report: Report, now: float) -> None:
        issuer = Issuer(report.incarnation)
        if issuer in self.taken:
            self._heard_at[issuer] = now
        if report.role is Role.NODE:
            self.ledger.redeemed(report.name, report.incarnation, report.taken.get(Issuer(self._own), 0))

    def _gateways_changed(self) -> None:
        """Pages that a gateway serves, or that were loaded from its address, may connect to nodes directly."""
        gateways = [report for report in self.membership.members.values() if report.role is Role.GATEWAY]
        origins = {
            origin for report in gateways for url in (report.url, report.public_url) for origin in origins_at(url)
        }
        self.gateway_origins = tuple(sorted(origins))
