"""Rounds of one leader: the leading balancer's memory from round to round, and its decisions in each round.

Theory of operation
- A leader waits until the members have not changed for a while (`stabilisation`); draining nodes wait a second at most.
- A balance begins outside the dead band, and ends inside a smaller dead band. It also ends when as many clients were
  moved as were planned at first: then clients are also moved by other causes, and the balance would never end. If all
  clients that may be moved were moved a short while ago, the balance waits for them.
- With a hash policy the nodes find their misplaced keys. Connections without a key have no owner and stay, except on a
  draining node: when its keys are gone, or their owners have no room, the rest of its connections go to any node with
  room.
- An ordered move counts as done (`in_flight`), so a round plans the moves that are still missing.
- While the guard sees a reason (`guard`), nothing is ordered.

The rounds end with the lease. No state is handed on: the next leader plans anew, from reports.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.drain import Deadlines, judge_drain
from ringway.core.balance.guard import Guard, TimeOf, say_no_time
from ringway.core.balance.in_flight import InFlightMoves
from ringway.core.balance.pace import MoveLimits, Pacer, moves_per_s, plan_needs_s, safe_donors, safe_targets
from ringway.core.balance.plan import Plan, Quota, plan_by_key, plan_by_load
from ringway.core.balance.share import NodeSnapshot
from ringway.core.balance.stabilisation import Stabilisation
from ringway.core.balance.window import window_of
from ringway.core.load import LoadView
from ringway.protocol.directive import Directive
from ringway.protocol.order import DrainAnswer
from ringway.types import NodeName, NodeState

DRAIN_SETTLE_S = 1.0

LATELY_S = 10.0
"""A node is a target for this long after the last order to move clients there."""

STAYING_SHOWN = 4
"""The nodes that are named in the words about connections that stay."""


class LeaderRound:
    """The decisions of one leader over `view`. `settle` comes from the gateway, which watched before it led.

    `time_of` returns the time of day of a monotonic time; without it, none is said.
    """

    def __init__(
        self,
        config: BalanceConfig,
        view: LoadView,
        settle: Stabilisation | None = None,
        time_of: TimeOf = say_no_time,
    ) -> None:
        self._config = config
        self._view = view
        self._settle = settle or Stabilisation()
        self._time_of = time_of
        self._guard = Guard(config, time_of)
        self._pacer = Pacer()
        self._arrivals = view.arrivals
        self._deadlines = Deadlines()
        self._flight = InFlightMoves()
        self._key_flight = InFlightMoves()
        self._targets: dict[NodeName, float] = {}  # and when a move to each was ordered last
        self._moved_at: dict[NodeName, float] = {}  # when a move to each node was ordered last
        self._unfinished = 0  # moves left of a balance that was begun
        self._asked = False  # an operator asked for the balance; so it goes on to the last connection
        self._resting = -1  # the number of changes of members at which no balance is begun
        self._now = 0.0
        self._observed_at: float | None = None

    def settling(self, now: float) -> bool:
        """True if members have changed a moment ago, so that no move may be ordered. Call it once a round."""
        self._settle.observe(self._view, now)
        waited = self._settle.waited_s(now)
        if waited >= self._config.settle_s:
            return False
        return waited < DRAIN_SETTLE_S or not self._draining()

    def frozen(self, now: float, directive: Directive | None = None, engine_lag_s: float = 0.0) -> str:
        """Return the reason why moves are forbidden now, in a sentence; empty if allowed. Call it once a round."""
        self._targets = {name: at for name, at in self._targets.items() if at + LATELY_S > now}
        return self._guard.check(
            self._view, now, directive=directive or Directive(), engine_lag_s=engine_lag_s, targets=self._targets
        )

    def why_frozen(self, directive: Directive) -> str:
        """Return the reason why moves are forbidden, by the last round and `directive`; empty if allowed."""
        return self._guard.why(directive)

    def rest(self) -> None:
        """Begin no balance until the members change, or an operator asks: a new policy alone moves no client."""
        self._resting = self._settle.changes

    def resume(self) -> None:
        """Balance as usual."""
        self._resting = -1

    def observe(self, now: float) -> Iterator[None]:
        """Read the counters in the nodes' reports, in parts for several turns of the loop; a plan does it otherwise."""
        nodes = self._view.nodes.values()
        yield from self._arrivals.observe_in_parts(nodes, now)
        self._deadlines.observe(nodes, now)
        self._observed_at = now

    def plan(self, now: float) -> Plan:
        """Return the moves that complete the balance under way, or that begin a balance outside the dead band."""
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
        if plan.waiting and not plan.quotas and (staying := self._staying(standings, now)):
            plan = replace(plan, reason=f"{plan.reason}; {staying}")
        return replace(plan, cause="asked") if self._asked and plan.cause == "imbalance" else plan

    def plan_by_key(
        self,
        misplaced: Mapping[NodeName, Mapping[NodeName, int]],
        now: float,
        room: Mapping[NodeName, int] | None = None,
        *,
        drains: bool = True,
    ) -> Plan:
        """Return the moves of keys to their owners, from the counts of each node; then the moves that empty draining
        nodes.

        `room` is the number of clients that each owner may still get by the view; ordered moves are subtracted here.
        Without `drains`, clients of draining nodes wait until it is known which keys they have.
        """
        standings = self._look(now)
        self._key_flight.observe(self._view.nodes.values(), now)
        coming = self._key_flight.coming()
        left = {owner: max(0, count - coming.get(owner, 0)) for owner, count in (room or {}).items()}
        planned = plan_by_key(misplaced, left, self._staying(standings, now))
        plan = replace(planned, load={node.name: node.load for node in standings})
        if not plan.quotas:
            rest = self._plan_drains(standings) if drains else plan
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
        """Decide if `node` can be emptied within `within_s` (0: no deadline). Nodes in `avoid` are drained next."""
        standings = self._look(now)
        return judge_drain(node, within_s, standings, self._limits(standings, 1.0), self._config, avoid)

    def force(self, node: NodeName, within_s: float, now: float) -> None:
        """Let the deadline of `node`, in `within_s`, override all limits."""
        self._deadlines.force(node, now + 2 * within_s)

    def orders(self, plan: Plan, dt: float) -> list[Quota]:
        """Return the part of `plan`, the newest plan, to order for the next `dt` seconds."""
        if self._settle.waited_s(self._now) < self._config.settle_s:
            draining = self._draining()
            plan = replace(plan, quotas=tuple(quota for quota in plan.quotas if quota.donor in draining))
        if not plan.moves:
            self._pacer.rest()
            return []
        standings = self._flight.standings(self._view.nodes.values(), self._now) if self._deadlines.known else []
        return self._pacer.orders(plan, self._limits(standings, dt), dt)

    def ordered(self, quota: Quota, now: float, *, by_key: bool = False) -> None:
        """Record that the donor accepted the order."""
        self._unfinished = max(0, self._unfinished - quota.count)
        self._targets[quota.target] = self._moved_at[quota.target] = now
        # Nodes that count their misplaced keys know their own orders; owners do not know which clients come.
        flight = self._key_flight if by_key else self._flight
        flight.ordered(quota.donor, quota.target, quota.count, now)

    def keys_under_way(self, now: float) -> Mapping[tuple[NodeName, NodeName], int]:
        """Return, by donor and owner, the ordered moves of keys that the donor's report does not show yet."""
        self._key_flight.standings(self._view.nodes.values(), now)
        return self._key_flight.pairs()

    def moves_under_way(self) -> bool:
        """True if a donor still holds places. Until it receives the targets' reports, loads are too high to compare."""
        return any(node.report.reserved for node in self._view.nodes.values() if node.report)

    def connections(self) -> int:
        """The number of connections of the cluster."""
        return sum(node.connections for node in self._view.nodes.values())

    def moves_per_s(self) -> float:
        """The budget of moves a second, within the handshakes that the nodes can serve."""
        nodes = self._view.eligible
        targets = safe_targets(nodes, self._arrivals, self._config)
        return min(self._budget(), sum(targets.values())) if len(targets) == len(nodes) else self._budget()

    def needs_s(self, plan: Plan) -> float:
        """How long `plan` takes, if nothing else happens meanwhile."""
        return plan_needs_s(plan, self._limits([], 1.0))

    @property
    def moves_per_s_min(self) -> float:
        """The slowest rate of a drain by a deadline, in moves a second."""
        return self._config.moves_per_s_min

    def reconnect_window_s(self) -> float:
        """The time over which the clients of a node that dies now should come back (`window`)."""
        return window_of(self._view.nodes.values(), self._arrivals, self._config.target_share)

    def _look(self, now: float) -> list[NodeSnapshot]:
        self._now = now
        if self._observed_at != now:
            for _ in self.observe(now):
                pass
        return self._flight.standings(self._view.nodes.values(), now)

    def _plan_drains(self, standings: list[NodeSnapshot]) -> Plan:
        """Empty draining nodes. The active nodes keep their connections at any imbalance."""
        plan = plan_by_load([_resting(node) if node.active else node for node in standings], self._config)
        return plan if plan.quotas else replace(plan, reason="nobody drains; the others stay where they are", cause="")

    def _staying(self, standings: list[NodeSnapshot], now: float) -> str:
        """Return how many connections may not be moved now, where they are, and until when; empty for none."""
        self._moved_at = {name: at for name, at in self._moved_at.items() if name in self._view.nodes}
        found = {node.name: node.cooling for node in standings if node.active and node.cooling}
        if not found:
            return ""
        shown = [f"{count:,} at {name}" for name, count in sorted(found.items())[:STAYING_SHOWN]]
        if len(found) > STAYING_SHOWN:
            shown.append(f"others at {len(found) - STAYING_SHOWN} more nodes")
        moved_at = max((self._moved_at[name] for name in found if name in self._moved_at), default=None)
        ago = "" if moved_at is None else f"; the last moves there were ordered {now - moved_at:,.0f} s ago"
        return (
            f"{', '.join(shown)} stay for now: they are pinned, or stay until `move_cool_down_s` (half an hour, unless "
            f"it is set) after their last move{ago}{self._ends_at(found)}"
        )

    def _ends_at(self, names: Collection[NodeName]) -> str:
        """Return in words when the last cool-down at these nodes ends; empty if that is not known."""
        reports = [(self._moved_at[name], self._view.nodes[name].report) for name in names if name in self._moved_at]
        ends = [at + report.cool_down_s for at, report in reports if report is not None and report.cool_down_s]
        until = self._time_of(max(ends)) if ends else ""
        return f", and all may be moved again at {until}" if until else ""

    def _limits(self, standings: list[NodeSnapshot], dt: float) -> MoveLimits:
        return MoveLimits(
            total=self._budget(),
            donor=self._config.donor_per_s_max,
            donors=safe_donors(self._view.nodes.values()),
            targets=safe_targets(self._view.nodes.values(), self._arrivals, self._config),
            due=self._deadlines.rates(standings, self._now, dt, self._config.moves_per_s_min),
            forced=self._deadlines.forced,
        )

    def _budget(self) -> float:
        return moves_per_s(self.connections(), len(self._view.nodes), self._config)

    def _draining(self) -> set[NodeName]:
        return {
            node.name for node in self._view.nodes.values() if node.state is not NodeState.ACTIVE and node.connections
        }


def _resting(node: NodeSnapshot) -> NodeSnapshot:
    """Return `node` with its connections as they are: none of them may be moved."""
    return NodeSnapshot(
        node.name, node.weight, node.load, 0, node.active, node.cooling, node.room, node.zone, node.avoided
    )
