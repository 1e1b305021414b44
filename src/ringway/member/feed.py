"""Feed of reports: each is decoded once, and what it changes is handed to listeners (PROTOCOL.md P-8).

Every process that must know the members has one feed, and gives its `on_report` to `ports.Registry.watch`. A report
that cannot be decoded, or that came under the name of another member, is logged and dropped.
"""

import time
from collections.abc import Callable, Sequence

from ringway.core.membership import Membership, MembershipEvent
from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.protocol.report import Report, decode_report
from ringway.types import NodeName, Role

Listener = Callable[[MembershipEvent], None]
"""Called in the event loop with every event of the membership, in their order; must not block."""

_log = get_logger()


class Feed:
    """The members as this process hears them. `clock` is monotonic.

    `on_ignored` is called with each report that changed nothing: a repeated one, or one of an incarnation that is over.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        listeners: Sequence[Listener] = (),
        *,
        on_ignored: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self._clock = clock
        self._listeners = list(listeners)
        self._on_ignored = on_ignored
        self._membership = Membership()

    @property
    def live(self) -> dict[NodeName, Report]:
        """The last report of each member that is alive; the feed goes on to change it."""
        return self._membership.members

    def node(self, name: str) -> Report | None:
        """Return the last report of the node `name`; None if no such node is alive."""
        report = self.live.get(NodeName(name))
        return report if report is not None and report.role is Role.NODE else None

    def count_nodes(self) -> int:
        """Return how many nodes are alive; a node counts itself once its own report has come back."""
        return sum(report.role is Role.NODE for report in self.live.values())

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, after the listeners before it."""
        self._listeners.append(listener)

    def on_report(self, name: NodeName, raw: bytes | None) -> None:
        """Receive one report or withdrawal of the member `name` (`ports.Heard`)."""
        if raw is None:
            self._publish(self._membership.withdrawn(name))
            return
        try:
            report = decode_report(raw)
        except ProtocolError as error:
            _log.warning("a report was not understood", member=name, error=str(error))
            return
        if report.name != name:
            _log.warning("a report came under another name", member=name, reported=report.name)
            return
        self.add_report(report)

    def add_report(self, report: Report) -> None:
        """Receive a report that is decoded already, or was made in this process."""
        events = self._membership.heard(report, self._clock())
        self._publish(events)
        if not events:
            self._on_ignored(report)

    def tick(self, *, engine_up: bool) -> None:
        """Let time pass: members that are silent for too long leave. Call it every `membership.TICK_S`."""
        now = self._clock()
        self._membership.engine_up(engine_up, now)
        self._publish(self._membership.tick(now))

    def _publish(self, events: list[MembershipEvent]) -> None:
        for event in events:
            for listener in self._listeners:
                listener(event)
