"""Feed of reports: each report is read once, and listeners are called with the changes (PROTOCOL.md P-8).

Every process that must know the members has one feed. A message that is not believed changes nothing: it is counted,
and its sender is listed as a stranger.

The report of a gateway may name thousands of backends: at most `BACKENDS_A_TURN` of them are read in one turn of the
event loop, however they have come or gone.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from ringway.core.held_nodes import HeldNodes
from ringway.core.membership import MemberLeft, MemberReported, Membership, MembershipEvent
from ringway.core.report_reader import MemberLeaves, MissingIntroductionError, ReportReader
from ringway.core.strangers import Strangers
from ringway.core.wire_choice import WireChoice
from ringway.logger import get_logger
from ringway.portions import Portions
from ringway.ports import Registry
from ringway.protocol.report import Report
from ringway.protocol.seal import SealError
from ringway.types import NodeName, Role

Listener = Callable[[MembershipEvent], None]
"""Called in the event loop with every event of the membership, in their order; must not block."""

OnTimed = Callable[[Report, float, float], None]
"""Called with a report, and the times of its sending and its arrival, each by the wall clock there."""

BACKENDS_A_TURN = 16
"""The most backends whose reports, joins and leaves are published in one turn of the event loop: some 300 µs for each
that is new, with all that listeners begin for it."""

ASK_S = 1.0
"""The shortest time between two questions for the introduction of a member."""

_log = get_logger()


class Feed:
    """The members by the reports that this process received. `clock` is monotonic, `wall` Unix time.

    Without a `reader` the feed hears only what is given to `add_report`. `on_ignored` is called with each report that
    changed nothing: a report of an incarnation that is over. `on_timed` is called with each report after its listeners.
    With `held`, the backends that gateways report are nodes among the members. With `wire`, the members that are heard
    decide on the wire version of this member.
    """

    def __init__(
        self,
        reader: ReportReader | None = None,
        clock: Callable[[], float] = time.monotonic,
        listeners: Sequence[Listener] = (),
        *,
        wall: Callable[[], float] = time.time,
        on_ignored: Callable[[Report], None] = lambda report: None,
        on_timed: OnTimed = lambda report, sent_at, received_at: None,
        held: HeldNodes | None = None,
        wire: WireChoice | None = None,
    ) -> None:
        self.strangers = Strangers()
        self._reader = reader
        self._clock = clock
        self._wall = wall
        self._listeners = list(listeners)
        self._report_listeners = list(listeners)
        self._node_listeners = list(listeners)
        self._on_ignored = on_ignored
        self._on_timed = on_timed
        self._held = held
        self._concerned: Portions[NodeName] = Portions(self._read_held, BACKENDS_A_TURN)
        self._wire = wire
        self._membership = Membership()
        self._gateways: dict[NodeName, Report] = {}
        self._registry: Registry | None = None
        self._asked_at: dict[NodeName, float] = {}

    @property
    def live(self) -> dict[NodeName, Report]:
        """The last report of each member that is alive. The feed changes this mapping in place."""
        return self._membership.members

    @property
    def gateways(self) -> Mapping[NodeName, Report]:
        """The last report of each gateway that is alive: few among many members."""
        return self._gateways

    def node(self, name: str) -> Report | None:
        """Return the last report of the node `name`; None if no such node is alive."""
        report = self.live.get(NodeName(name))
        return report if report is not None and report.role is Role.NODE else None

    def count_nodes(self) -> int:
        """Return the number of nodes that are alive; a node counts itself once its own report has come back."""
        return sum(report.role is Role.NODE for report in self.live.values())

    def add_listener(self, listener: Listener, *, reports: bool = True, of_nodes: bool = True) -> None:
        """Call `listener` with every event from now on, after the listeners before it.

        Without `reports`, it gets joins and leaves, and no `MemberReported`, of which a thousand come each second.
        Without `of_nodes`, it gets only the reports of gateways and of backends, which are few.
        """
        self._listeners.append(listener)
        if reports:
            self._report_listeners.append(listener)
        if reports and of_nodes:
            self._node_listeners.append(listener)

    async def follow(self, registry: Registry, roles: Collection[Role] = tuple(Role)) -> None:
        """Hear the members of `roles` from now on. Call once. Raise `EngineError` if they cannot be watched."""
        self._registry = registry
        await registry.watch(roles, self.on_message)

    def on_message(self, role: Role, name: NodeName, raw: bytes) -> None:
        """Receive one message that came under the name of a member (`ports.Heard`)."""
        if self._reader is None:
            return
        received_at = self._wall()
        try:
            content, sent_at = self._reader.read(name, raw, received_at)
        except MissingIntroductionError:
            self._ask(role, name)
        except SealError as error:
            if self.strangers.on_refused(name, error.fault, str(error), self._clock()):
                _log.warning(
                    "messages of a member are not believed", member=name, fault=error.fault, problem=str(error)
                )
        else:
            if self.strangers.refused and self.strangers:  # most processes never refuse a message
                self.strangers.on_believed(name)
            if isinstance(content, MemberLeaves):
                self.remove_member(content)
            else:
                self.add_report(content)
                self._on_timed(content, sent_at, received_at)

    def add_report(self, report: Report) -> None:
        """Process a report that was read already, or was made in this process."""
        now = self._clock()
        if report.role is Role.NODE and not report.is_backend and self._membership.heard_again(report, now):
            event = MemberReported(report)
            for listener in self._node_listeners:
                listener(event)
            return
        events = self._membership.heard(report, now)
        self._publish(events)
        if not events:
            self._on_ignored(report)

    def remove_member(self, leaves: MemberLeaves) -> None:
        """Process a member's message that it leaves; ignored if a different incarnation has its name."""
        known = self.live.get(leaves.name)
        if known is not None and known.incarnation == leaves.incarnation:
            self._publish(self._membership.withdrawn(leaves.name))

    def tick(self, *, engine_up: bool) -> None:
        """Let time pass: members that are silent for too long leave. Call it every `membership.TICK_S`."""
        now = self._clock()
        self.strangers.tick(now)
        self._membership.engine_up(engine_up, now)
        self._publish(self._membership.tick(now))
        if self._held is not None:
            self._concerned.add(self._held.tick(now, engine_up=engine_up))
        if self._wire is not None and self._wire.choose(self.live.values()):
            _log.info("this member seals in another wire version, which all members read", version=self._wire.version)

    def _ask(self, role: Role, name: NodeName) -> None:
        """Ask for the introduction of a member, at most once in `ASK_S`."""
        now = self._clock()
        if self._registry is not None and self._asked_at.get(name, now - ASK_S) <= now - ASK_S:
            self._asked_at = {asked: at for asked, at in self._asked_at.items() if at > now - ASK_S}
            self._asked_at[name] = now
            self._registry.ask_member(role, name)

    def _publish(self, events: list[MembershipEvent]) -> None:
        for event in events:
            if isinstance(event, MemberLeft) and self._reader is not None:
                self._reader.forget(event.report.name, event.report.incarnation)
            if event.report.role is Role.GATEWAY:
                self._note_gateway(event)
            for listener in self._report_listeners if isinstance(event, MemberReported) else self._listeners:
                listener(event)
            if self._held is not None and event.report.role is Role.GATEWAY:
                left = isinstance(event, MemberLeft)
                name, now = event.report.name, self._clock()
                self._concerned.add(self._held.on_left(name, now) if left else self._held.on_report(event.report))

    def _note_gateway(self, event: MembershipEvent) -> None:
        if isinstance(event, MemberLeft):
            self._gateways.pop(event.report.name, None)
        else:
            self._gateways[event.report.name] = event.report

    def _read_held(self, names: Sequence[NodeName]) -> None:
        """Publish what gateways' reports change for the backends `names`. A member with the same name goes first."""
        if self._held is None:
            return
        change = self._held.read_changes(names)
        for report in change.reports:
            known = self.live.get(report.name)
            if known is None or known.is_backend:
                self.add_report(report)
            else:
                self._on_ignored(report)
        for name in change.gone:
            known = self.live.get(name)
            if known is not None and known.is_backend:
                self._publish(self._membership.withdrawn(name))
