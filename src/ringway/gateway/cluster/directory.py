"""What this gateway knows of the cluster: the members, and the effective load of every node.

`feed` and `view` are shared with the balancer, which runs in the same process. The directory alone feeds
them: from the registry (`join`), or with the reports that static backends are given (`adopt`).
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import structlog

from ringway.core.load import LoadView
from ringway.core.load.view import REPORT_S
from ringway.core.membership import TICK_S, MemberJoined, MemberLeft, MemberReported, MembershipEvent
from ringway.member.feed import Feed, Listener
from ringway.ports import Engine
from ringway.protocol.directive import Directive
from ringway.protocol.report import Report, encode_report
from ringway.types import Incarnation, Issuer, NodeName, Role

if TYPE_CHECKING:
    from random import Random

SOON_S = 0.2
"""How soon it reports when the places that it holds have changed much, or what it follows."""

ANNOUNCE_DEADLINE_S = 1.0
"""How long one announcement or withdrawal may take."""

_log = structlog.get_logger()


class Directory:
    """See the module. `issuer` is this gateway's incarnation: it stands in the tickets that the gateway issues."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.view = LoadView(issuer)
        self.leading = False
        """Set by the balancer: whether it holds the lease. Goes out in the gateway's report."""
        self.directive: Callable[[], Directive | None] = lambda: None
        """Set by the control service: what this gateway follows. Goes out soon after it has changed."""
        self._clock = clock
        self.feed = Feed(clock, (self._on_event,), on_ignored=self._note_quarrel)
        self._engine: Engine | None = None
        self._me: Report | None = None
        self._task: asyncio.Task[None] | None = None
        self._quarrels: dict[NodeName, Incarnation] = {}

    @property
    def engine_up(self) -> bool:
        """Whether the engine can be reached; True where there is none."""
        return self._engine is None or self._engine.up

    @property
    def engine_problem(self) -> str:
        """What is wrong with the engine (`ports.Engine.problem`); nothing where there is none."""
        return "" if self._engine is None else self._engine.problem

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What must not end while this runs; the owner of the process watches over it."""
        return (self._task,) if self._task is not None else ()

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every membership event, in the event loop."""
        self.feed.add_listener(listener)

    async def join(self, engine: Engine, me: Report, rng: "Random") -> None:
        """Follow the registry of `engine` and report `me` (role GATEWAY) from now on, until `leave`.

        `me` holds what does not change: name, incarnation, URLs, version; the rest is filled in per report.
        """
        self._engine = engine
        self._me = me
        await engine.registry.watch(self.feed.on_report)
        self._task = asyncio.create_task(self._run(rng), name="directory")

    async def leave(self) -> None:
        """Stop reporting and tell the others that this gateway leaves. Idempotent."""
        task, self._task = self._task, None
        if task is None or self._engine is None or self._me is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            await asyncio.wait_for(self._engine.registry.withdraw(self._me.name), ANNOUNCE_DEADLINE_S)
        except Exception as error:  # leaving must go on: the others will see a silent member
            _log.warning("the gateway could not withdraw from the registry", error=str(error))

    def adopt(self, report: Report) -> None:
        """Take a report that was made in this process, for a static backend: its age says nothing."""
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
        """Say it, once, when a member that was replaced under its name goes on reporting: two run by one name."""
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

    async def _run(self, rng: "Random") -> None:
        """Tick, and report when it is time: each second, or soon after what others must know has changed."""
        seq = 0
        told: dict[NodeName, int] = {}
        told_directive = self.directive()
        due = self._clock()
        soonest = due
        while True:
            now = self._clock()
            self.tick()
            held = self.view.ledger.held()
            directive = self.directive()
            changed = directive is not told_directive or _changed_much(told, held)
            if now >= due or (now >= soonest and changed):
                seq += 1
                told_directive = directive
                await self._announce(seq, held)
                told = held
                due = now + REPORT_S * rng.uniform(0.8, 1.2)  # DESIGN.md 4
                soonest = now + SOON_S
            await asyncio.sleep(min(TICK_S, SOON_S / 2))

    async def _announce(self, seq: int, held: dict[NodeName, int]) -> None:
        assert self._engine is not None
        assert self._me is not None
        report = msgspec.structs.replace(
            self._me,
            role=Role.GATEWAY,
            seq=seq,
            reserved=held,
            leading=self.leading,
            directive=self.directive(),
            engine_up=self._engine.up,
        )
        try:
            sent = self._engine.registry.announce(report.name, encode_report(report))
            await asyncio.wait_for(sent, ANNOUNCE_DEADLINE_S)
        except Exception as error:  # the next report follows in a second; only `EngineAway` is to be expected
            _log.warning("the gateway's report was not sent", error=str(error) or type(error).__name__)


def _changed_much(told: dict[NodeName, int], held: dict[NodeName, int]) -> bool:
    """Whether the others should know at once: places moved by a thirty-second part, and by eight at least.

    Reports of nodes that are late keep many places held; with an eighth of these, gateways heard of each other's so
    seldom that four of them brought a node twice its share of a second's arrivals (tests/simulation).
    """
    moved = sum(abs(held.get(name, 0) - told.get(name, 0)) for name in held.keys() | told.keys())
    return moved >= max(8, sum(told.values()) // 32)


__all__ = ["Directory", "MembershipEvent", "MemberJoined", "MemberLeft", "Listener", "MemberReported"]
