"""Directory of the cluster in this gateway's view: the members, their groups, and the effective load of every node.

`feed`, `groups` and `held` are shared with the balancer, which runs in the same process. The directory alone feeds
them, from the registry.
"""

import time
from collections.abc import Callable

from ringway.core.group import Groups
from ringway.core.held_nodes import GroupDispute, HeldNodes
from ringway.core.membership import MemberLeft, MemberReported, MembershipEvent
from ringway.core.report_reader import ReportReader
from ringway.core.wire_choice import WireChoice
from ringway.gateway.cluster.clocks import MemberClocks
from ringway.logger import get_logger
from ringway.member.feed import Feed, Listener
from ringway.ports import Engine
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role

GONE_S = 10.0
"""How long gateways report a node as gone: in this time every place at it ends."""

_log = get_logger()


class Directory:
    """The cluster in the view of one gateway. `issuer` is its incarnation, which is in the tickets that it issues.

    Without `groups`, each group has the default policy.
    """

    def __init__(
        self,
        issuer: Issuer,
        reader: ReportReader | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        wire: WireChoice | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.issuer = issuer
        self.groups = groups or Groups(issuer)
        self.held = HeldNodes()
        self._clock = clock
        self._clocks = MemberClocks(self.groups)
        self.feed = Feed(
            reader,
            clock,
            (self._on_event,),
            wall=wall,
            on_ignored=self._note_quarrel,
            on_timed=self._clocks.on_report,
            held=self.held,
            wire=wire,
        )
        self.feed.add_listener(self._clocks.on_event, reports=False)
        self._engines: tuple[Engine, ...] = ()
        self._quarrels: dict[NodeName, Incarnation] = {}
        self._gone: dict[NodeName, float] = {}
        self._disputes: dict[NodeName, GroupDispute] = {}  # the groups of each backend in the last log line

    @property
    def engine_up(self) -> bool:
        """True if the engine can be reached, or there is no engine."""
        return all(engine.up for engine in self._engines)

    @property
    def engine_problem(self) -> str:
        """The problem of the engine (`ports.Engine.problem`); empty without an engine."""
        return next((engine.problem for engine in self._engines if engine.problem), "")

    def listen(self, listener: Listener, *, reports: bool = True, of_nodes: bool = True) -> None:
        """Call `listener` with membership events, in the event loop (`Feed.add_listener`)."""
        self.feed.add_listener(listener, reports=reports, of_nodes=of_nodes)

    async def follow(self, engine: Engine, ears: Engine | None = None) -> None:
        """Read the reports of all members from now on: from the registry of `ears`, or of `engine` without them."""
        self._engines = (engine,) if ears is None else (engine, ears)
        await self.feed.follow(self._engines[-1].registry)

    def gone(self) -> tuple[NodeName, ...]:
        """Return the nodes that have left within `GONE_S` and are not back."""
        return tuple(self._gone)

    def proven_fence(self) -> int:
        """Return the highest fence that other gateways report."""
        reports = self.feed.gateways.values()
        return max((report.fence for report in reports if str(report.incarnation) != self.issuer), default=0)

    def is_led(self) -> bool:
        """True if a believed gateway reports that it leads."""
        return any(report.leading for report in self.feed.gateways.values())

    def tick(self) -> None:
        """Let time pass: leases and places end. Called every `TICK_S`."""
        now = self._clock()
        self.groups.tick(now)
        self._gone = {name: at for name, at in self._gone.items() if now < at + GONE_S}
        self.feed.tick(engine_up=self.engine_up)
        self._tell_disputes()

    def _tell_disputes(self) -> None:
        """Log each backend once that gateways put in different groups."""
        told, self._disputes = self._disputes, dict(self.held.disputes)
        for name, dispute in self._disputes.items():
            if told.get(name) != dispute:
                _log.warning(
                    "gateways put a backend in different groups; the newest description counts for all", backend=name,
                    group=dispute.group, gateway=dispute.gateway, other_group=dispute.other_group,
                    other_gateway=dispute.other_gateway, remedy="give all gateways the same backends and routes",
                )  # fmt: skip

    def _note_quarrel(self, report: Report) -> None:
        """Log once if a replaced member still reports: then two processes use one name."""
        known = self.feed.live.get(report.name)
        if known is None or known.incarnation == report.incarnation:
            return
        if self._quarrels.get(report.name) != report.incarnation:
            self._quarrels[report.name] = report.incarnation
            _log.error(
                "two members use one name; give one of them another", member=report.name,
                incarnation=known.incarnation, ignored=report.incarnation,
            )  # fmt: skip

    def _on_event(self, event: MembershipEvent) -> None:
        report = event.report
        if isinstance(event, MemberReported):
            self.groups.reported(report, self._clock())
            return
        if isinstance(event, MemberLeft):
            self.groups.forgotten(report)
            self._quarrels.pop(report.name, None)
            if report.role is Role.NODE:
                self._gone[report.name] = self._clock()
            _log.info("member left", member=report.name, role=report.role, cause=event.cause)
        else:
            self.groups.reported(report, self._clock())
            self._gone.pop(report.name, None)
            _log.info("member joined", member=report.name, role=report.role, url=report.url)
