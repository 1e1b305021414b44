"""One leadership of the balancer: what its leader remembers from round to round, and decides in each.

Theory of operation
- A term begins by waiting, and waits again after every change of members: others may be about to come or go.
- A balance that was begun is finished to the last connection. It does not stop at the edge of the dead band, to begin
  again a minute later; but it ends when as many were moved as it planned at first.
- With a hash policy the nodes find their misplaced keys. Connections without a key have no owner and are left alone,
  except by a draining node: when its keys are gone, the others go where there is room.
- What was ordered counts as done (`core.flight`), so a round plans what is still missing.

A term ends with the lease. Nothing of it is handed on: the next leader plans anew, from reports.
"""

from collections.abc import Mapping
from dataclasses import replace

from ringway.core.balance import BalanceConfig, Plan, Quota, plan_by_key, plan_by_load
from ringway.core.flight import Flight
from ringway.core.load import LoadView
from ringway.core.pace import Pacer
from ringway.types import NodeName


class Term:
    """The decisions of one leader over `view`."""

    def __init__(self, config: BalanceConfig, view: LoadView) -> None:
        self._config = config
        self._view = view
        self._pacer = Pacer(config)
        self._flight = Flight()
        self._unfinished = 0  # moves left of a balance that was begun
        self._version = -1
        self._changed_at = 0.0

    def settling(self, now: float) -> bool:
        """Whether to wait, because members have changed a moment ago. Ask once a round."""
        if self._view.version != self._version:
            self._version = self._view.version
            self._changed_at = now
        return now - self._changed_at < self._config.settle_s

    def plan(self, now: float) -> Plan:
        """Return what is missing to the balance that was begun, or what begins one outside the dead band."""
        standings = self._flight.standings(self._view.nodes.values(), now)
        plan = plan_by_load(standings, self._config)
        if plan.quotas:
            self._unfinished = self._unfinished or plan.moves
        elif self._unfinished:
            plan = plan_by_load(standings, self._config, within_band=True)
            if not plan.quotas and not self._moves_under_way():
                self._unfinished = 0
        return plan

    def _moves_under_way(self) -> bool:
        """Whether some donor still holds places. Until it has heard of the arrivals, loads are too high to compare."""
        return any(node.report.reserved for node in self._view.nodes.values() if node.report)

    def plan_by_key(self, misplaced: Mapping[NodeName, Mapping[NodeName, int]], now: float) -> Plan:
        """Return how keys come to their owners, from what each node counted; then how draining nodes are emptied."""
        plan = plan_by_key(misplaced)
        if plan.quotas:
            return plan
        standings = self._flight.standings(self._view.nodes.values(), now)
        rest = plan_by_load([replace(node, movable=0) if node.active else node for node in standings], self._config)
        return rest if rest.quotas else plan

    def plan_exactly(self, now: float, *, begin: bool) -> Plan:
        """Return what would balance to the last connection; with `begin`, the next rounds do it."""
        standings = self._flight.standings(self._view.nodes.values(), now)
        plan = plan_by_load(standings, self._config, within_band=True)
        if begin:
            self._unfinished = plan.moves
        return plan

    def orders(self, plan: Plan, dt: float) -> list[Quota]:
        """Return what of `plan` to order for the next `dt` seconds."""
        nodes = self._view.nodes.values()
        accept_per_s = {
            node.name: node.report.accept_per_s for node in nodes if node.report and node.report.accept_per_s > 0
        }
        return self._pacer.orders(plan, self.connections(), accept_per_s, dt)

    def ordered(self, quota: Quota, now: float, *, by_key: bool = False) -> None:
        """Take note that the donor consented."""
        self._unfinished = max(0, self._unfinished - quota.count)
        if not by_key:  # nodes that count their misplaced keys know themselves what they were told
            self._flight.ordered(quota.donor, quota.target, quota.count, now)

    def connections(self) -> int:
        """How many connections the cluster holds."""
        return sum(node.connections for node in self._view.nodes.values())
