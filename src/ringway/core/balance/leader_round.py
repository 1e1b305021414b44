"""Rounds of one leader: what the leading balancer remembers from round to round, and decides in each.

Theory of operation
- A leader waits until the members have not changed for a while (`stabilisation`); draining nodes wait a second at most.
- A balance begins outside the dead band, and ends inside a smaller one. It also ends when as many clients were moved as
  were planned at first: then something else moves clients as well, and following it would never end. If all clients
  that may be moved were moved a short while ago, the balance waits for them.
- With a hash policy the nodes find their misplaced keys. Connections without a key have no owner and stay, except on a
  draining node: when its keys are gone, or their owners have no room, its other connections go where there is room.
- An ordered move counts as done (`in_flight`), so a round plans the moves that are still missing.
- While the guard sees a reason (`guard`), nothing is ordered.

The rounds end with the lease. Nothing of them is handed on: the next leader plans anew, from reports.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from ringway.core.balance.arrival import STEADY_S, Arrivals
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.drain import Deadlines, judge_drain
from ringway.core.balance.guard import Guard
from ringway.core.balance.in_flight import InFlightMoves
from ringway.core.balance.pace import MoveLimits, Pacer, moves_per_s, safe_targets
from ringway.core.balance.plan import Plan, Quota, plan_by_key, plan_by_load
from ringway.core.balance.share import NodeSnapshot
from ringway.core.balance.stabilisation import Stabilisation
from ringway.core.balance.window import hosts_of, reconnect_window_s
from ringway.core.load import LoadView
from ringway.protocol.directive import Directive
from ringway.protocol.order import DrainAnswer
from ringway.types import NodeName, NodeState

DRAIN_SETTLE_S = 1.0

LATELY_S = 10.0
"""A node is a target for this long after the last order to move clients there."""


class LeaderRound:
    """The decisions of one leader over `view`. `settle` comes from the gateway, which watched before it led."""

    def __init__(self, config: BalanceConfig, view: LoadView, settle: Stabilisation | None = None) -> None:
        self._config = config
        self._view = view
        self._settle = settle or Stabilisation()
        self._guard = Guard(config)
        self._pacer = Pacer()
        self._arrivals = Arrivals()
        self._steady = Arrivals(STEADY_S)
        self._deadlines = Deadlines()
        self._flight = InFlightMoves()
        self._key_flight = InFlightMoves()
        self._targets: dict[NodeName, float] = {}  # and when a move to each was ordered last
        self._unfinished = 0  # moves left of a balance that was begun
        self._asked = False  # an operator did; so it goes on to the last connection
        self._resting = -1  # no balance is begun while the members have changed so many times
        self._now = 0.0

    def settling(self, now: float) -> bool:
        """True if to order nothing, because members have changed a moment ago. Ask once a round."""
        self._settle.observe(self._view.nodes.values(), now)
        waited = self._settle.waited_s(now)
        if waited >= self._config.settle_s:
            return False
        return waited < DRAIN_SETTLE_S or not self._draining()

    def frozen(self, now: float, directive: Directive | None = None, engine_lag_s: float = 0.0) -> str:
        """Return why nobody is to be moved now, in a sentence; empty if nothing is against it. Ask once a round."""
        self._targets = {name: at for name, at in self._targets.items() if at + LATELY_S > now}
        return self._guard.check(
            self._view, now, directive=directive or Directive(), engine_lag_s=engine_lag_s, targets=self._targets
        )

    def rest(self) -> None:
        """Begin no balance until the members change, or an operator asks: a new policy alone moves nobody."""
        self._resting = self._settle.changes

    def resume(self) -> None:
        """Balance as usual."""
        self._resting = -1

    def plan(self, now: float) -> Plan:
        """Return the moves that are missing to the balance that was begun, or that begin one outside the dead band."""
        standings = self._look(now)
        if self._resting == self._settle.changes:
            return self._plan_drains(standings)
        plan = plan_by_load(standings, self._config)
        if plan.quotas:
            self._unfinished = self._unfinished or plan.moves + plan.waiting
        elif self._unfinished:
            plan = plan_by_load(standings, self._config, until=0.0 if self._asked else self._config.stop_below)
            if not plan.quotas and not plan.waiting and not self.moves_under_way():
                self._unfinished = 0
                self._asked = False
        return replace(plan, cause="asked") if self._asked and plan.cause == "imbalance" else plan

    def plan_by_key(
        self,
        misplaced: Mapping[NodeName, Mapping[NodeName, int]],
        now: float,
        room: Mapping[NodeName, int] | None = None,
    ) -> Plan:
        """Return how keys come to their owners, from the counts of each node; then how draining nodes are emptied.

        `room` is how many more clients each owner may be given by the view; ordered moves are subtracted here.
        """
        standings = self._look(now)
        self._key_flight.standings(self._view.nodes.values(), now)
        coming = self._key_flight.coming()
        left = {owner: max(0, count - coming.get(owner, 0)) for owner, count in (room or {}).items()}
        plan = replace(plan_by_key(misplaced, left), load={node.name: node.load for node in standings})
        if not plan.quotas:
            rest = self._plan_drains(standings)
            return rest if rest.quotas else plan
        draining = self._draining()
        return replace(plan, cause="drain") if all(quota.donor in draining for quota in plan.quotas) else plan

    def plan_exactly(self, now: float, *, begin: bool) -> Plan:
        """Return the moves that balance to the last connection; with `begin`, the next rounds make them."""
        plan = plan_by_load(self._look(now), self._config, until=0.0)
        if begin:
            self._unfinished = plan.moves
            self._asked = bool(plan.moves)
            self.resume()
        return plan

    def judge_drain(self, node: NodeName, within_s: float, now: float, avoid: Collection[NodeName] = ()) -> DrainAnswer:
        """Say whether `node` can be emptied within `within_s`, 0 for no deadline; those in `avoid` are drained next."""
        standings = self._look(now)
        return judge_drain(node, within_s, standings, self._limits(standings, 1.0), self._config, avoid)

    def force(self, node: NodeName, within_s: float, now: float) -> None:
        """Let the deadline of `node`, in `within_s`, go before all limits."""
        self._deadlines.force(node, now + 2 * within_s)

    def orders(self, plan: Plan, dt: float) -> list[Quota]:
        """Return what of `plan`, the newest, to order for the next `dt` seconds."""
        if self._settle.waited_s(self._now) < self._config.settle_s:
            draining = self._draining()
            plan = replace(plan, quotas=tuple(quota for quota in plan.quotas if quota.donor in draining))
        standings = self._flight.standings(self._view.nodes.values(), self._now)
        return self._pacer.orders(plan, self._limits(standings, dt), dt)

    def ordered(self, quota: Quota, now: float, *, by_key: bool = False) -> None:
        """Note that the donor consented."""
        self._unfinished = max(0, self._unfinished - quota.count)
        self._targets[quota.target] = now
        # Nodes that count their misplaced keys know their own orders; owners do not know which clients come.
        flight = self._key_flight if by_key else self._flight
        flight.ordered(quota.donor, quota.target, quota.count, now)

    def moves_under_way(self) -> bool:
        """True if some donor still holds places. Until it has heard of the arrivals, loads are too high to compare."""
        return any(node.report.reserved for node in self._view.nodes.values() if node.report)

    def connections(self) -> int:
        """How many connections the cluster holds."""
        return sum(node.connections for node in self._view.nodes.values())

    def moves_per_s(self) -> float:
        """The budget of moves a second, as far as the nodes can take them."""
        nodes = self._view.eligible
        targets = safe_targets(nodes, self._arrivals, self._config)
        budget = moves_per_s(self.connections(), self._config)
        return min(budget, sum(targets.values())) if len(targets) == len(nodes) else budget

    @property
    def moves_per_s_min(self) -> float:
        """No drain by a deadline is slower than this."""
        return self._config.moves_per_s_min

    def reconnect_window_s(self) -> float:
        """How long the clients of a node that dies now should take to come back (`window`)."""
        return reconnect_window_s(hosts_of(self._view.nodes.values(), self._steady), self._config.target_share)

    def _look(self, now: float) -> list[NodeSnapshot]:
        self._now = now
        nodes = self._view.nodes.values()
        self._arrivals.observe(nodes)
        self._steady.observe(nodes)
        self._deadlines.observe(nodes, now)
        return self._flight.standings(nodes, now)

    def _plan_drains(self, standings: list[NodeSnapshot]) -> Plan:
        """Empty draining nodes, and leave the others alone, however unequal they are."""
        plan = plan_by_load([replace(node, movable=0) if node.active else node for node in standings], self._config)
        return plan if plan.quotas else replace(plan, reason="nobody drains; the others stay where they are", cause="")

    def _limits(self, standings: list[NodeSnapshot], dt: float) -> MoveLimits:
        return MoveLimits(
            total=moves_per_s(self.connections(), self._config),
            donor=self._config.donor_per_s_max,
            targets=safe_targets(self._view.nodes.values(), self._arrivals, self._config),
            due=self._deadlines.rates(standings, self._now, dt, self._config.moves_per_s_min),
            forced=self._deadlines.forced,
        )

    def _draining(self) -> set[NodeName]:
        return {
            node.name for node in self._view.nodes.values() if node.state is not NodeState.ACTIVE and node.connections
        }
