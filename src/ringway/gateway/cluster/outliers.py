"""Outliers of a gateway: nodes at which handshakes fail that succeed elsewhere are ejected, and come back by a knock.

`core.outlier` decides. Here its decisions reach the view, the log and the counters.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.core.membership import MembershipEvent
from ringway.core.outlier import Outliers, OutlierSettings
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.time_of_day import time_of_day
from ringway.types import NodeName

_log = get_logger()


class Failure(NamedTuple):
    """A handshake that a node did not open; a different node may have opened it."""

    node: NodeLoad
    why: str


class NodeFailures:
    """Judges the handshakes of one gateway. `clock` is monotonic, `wall` Unix time; `knock_again` asks a node for its
    proof."""

    def __init__(
        self,
        config: GatewayConfig,
        groups: Groups,
        stats: GatewayStats,
        clock: Callable[[], float],
        knock_again: Callable[[NodeName], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._groups = groups
        self._stats = stats
        self._clock = clock
        self._wall = wall
        self._knock_again = knock_again
        self._settings = OutlierSettings(
            failures=config.outlier_failures,
            eject_s=config.outlier_eject_s,
            eject_s_max=config.outlier_eject_max_s,
            share=config.outlier_share / 100.0,
        )
        self._outliers: dict[str, Outliers] = {}  # by group
        groups.on_forgotten.append(lambda name: self._outliers.pop(name, None))

    @property
    def groups(self) -> Collection[str]:
        """The groups of nodes that handshakes were compared of; a group that is forgotten is none of them."""
        return self._outliers.keys()

    def on_event(self, event: MembershipEvent) -> None:
        """Forget nodes that have left or begun anew. A listener of the directory, without reports."""
        for outliers in self._outliers.values():
            outliers.forget(event.report.name)

    def judge(self, opened: NodeLoad, failures: Sequence[Failure]) -> None:
        """Record that `opened` has opened a client's WebSocket, which the nodes in `failures` had not opened."""
        if not failures and not self._outliers:
            return
        group = self._groups.at(opened.name)
        if group is None:
            return
        outliers = self._outliers.setdefault(group.name, Outliers(self._settings))
        outliers.succeeded(opened.name)
        for node, why in failures:
            self._stats.node_failures[node.name] += 1
            now = self._clock()
            if group.view.nodes.get(node.name) is not node:
                continue
            ejection = outliers.failed(node.name, node.incarnation, len(group.view.eligible), now)
            if ejection is not None:
                self._stats.ejections[node.name] += 1
                until = time_of_day(self._wall() + ejection.seconds)
                self._groups.eject(
                    node.name,
                    f"was taken out for {ejection.seconds:g} s, until {until}: {ejection.failures} handshakes in a row "
                    f"failed there that another node opened; the last: {why}",
                )
                _log.warning(
                    "a node is taken out: handshakes fail there that another node opens", node=node.name,
                    failures=ejection.failures, for_s=ejection.seconds, time=ejection.times, last=why,
                )  # fmt: skip

    def tick(self) -> None:
        """Ask the nodes whose time is over; call it a few times a second."""
        now = self._clock()
        for outliers in self._outliers.values():
            self._let_back(outliers, now)

    def _let_back(self, outliers: Outliers, now: float) -> None:
        for name in outliers.due(now):
            node = self._groups.nodes.get(name)
            if node is not None and node.ejected:
                self._knock_again(name)
            else:
                outliers.returned(name, now)
                _log.info("a node that was taken out is back", node=name)
