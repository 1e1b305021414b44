"""Directory of the cluster as this gateway knows it: the members, and the effective load of every node.

`feed` and `view` are shared with the balancer, which runs in the same process. The directory alone feeds them: from the
registry (`follow`), or with the reports that are made for static backends (`adopt`).
"""

import time
from collections.abc import Callable

from ringway.core.load import LoadView
from ringway.core.membership import MemberJoined, MemberLeft, MembershipEvent
from ringway.logger import get_logger
from ringway.member.feed import Feed, Listener
from ringway.ports import Engine
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName

_log = get_logger()


class Directory:
    """The cluster as one gateway knows it. `issuer` is its incarnation, which is in the tickets that it issues."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.view = LoadView(issuer)
        self._clock = clock
        self.feed = Feed(clock, (self._on_event,), on_ignored=self._note_quarrel)
        self._engine: Engine | None = None
        self._quarrels: dict[NodeName, Incarnation] = {}

    @property
    def engine_up(self) -> bool:
        """Whether the engine can be reached; True without an engine."""
        return self._engine is None or self._engine.up

    @property
    def engine_problem(self) -> str:
        """The problem of the engine (`ports.Engine.problem`); empty without an engine."""
        return "" if self._engine is None else self._engine.problem

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every membership event, in the event loop."""
        self.feed.add_listener(listener)

    async def follow(self, engine: Engine) -> None:
        """Read the reports of all members from the registry of `engine`, from now on."""
        self._engine = engine
        await engine.registry.watch(self.feed.on_report)

    def adopt(self, report: Report) -> None:
        """Add a report that was made in this process, for a static backend: its age says nothing."""
        self.view.ages = False
        self.feed.add_report(report)

    def tick(self) -> None:
        """Let time pass: leases and places end. Called every `TICK_S`."""
        now = self._clock()
        self.view.tick(now)
        if self._engine is None:
            return  # static backends have no leases: their health is checked
        self.feed.tick(engine_up=self._engine.up)

    def _note_quarrel(self, report: Report) -> None:
        """Log it, once, if a member that was replaced under its name goes on reporting: two use that name."""
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
        if isinstance(event, MemberLeft):
            self.view.forgotten(report)
            self._quarrels.pop(report.name, None)
            _log.info("member left", member=report.name, role=report.role, cause=event.cause)
        else:
            self.view.reported(report, self._clock())
        if isinstance(event, MemberJoined):
            _log.info("member joined", member=report.name, role=report.role, url=report.url)
