"""Pace of moves: the part of a plan to order now, from a budget of moves a second that all pairs share.

    r = min(share of all connections, ceiling, min(D, C_i) of each donor i, rho C_j - lambda_j of each target j)

`C` is the handshakes a second that a node reports to accept, `rho` the part of them that may be used, `lambda_j` the
clients that come to a target by themselves. A donor may use all of its own `C`, which is half of its idle processor: a
hand-over costs it less than a handshake. A donor that drains has no other work, and only `D` bounds it. A slow
node slows its own pairs only (tests/property/test_balance_dynamics.py).

So the time to fill a new node is the same in any cluster, and moves a second grow with the nodes that join. The ceiling
bounds the damage of a wrong plan in the seconds until the guard sees it. It follows the cluster too: for each node, a
tenth of the rate that nodes report before they have measured it.

Theory: each pair is credited with its part of every interval, and whole moves of the credit are ordered. Fractions are
carried over, so slow rates are exact. Small credits become whole moves at the same time (fifty pairs of 0.4 a second
all reach 1 in the third). So all limits bound the sum of the pairs, too, and the credit for a delayed move is kept.
Donors with a deadline come first, at just the rate that meets it; the donors without one share the rest.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.plan import Plan, Quota
from ringway.core.load import NodeLoad
from ringway.core.load.arrival import Arrivals
from ringway.types import NodeName, NodeState

ROUNDING = 1e-9
"""Ten times 0.1 is a whole move."""

CEILING_OF_NODE = 50.0
"""Moves a second for each node of the cluster, if no maximum is configured."""

CEILING_MIN = 500.0
"""The ceiling of a small cluster."""

Rates = Mapping[NodeName, float]
Pair = tuple[NodeName, NodeName]


@dataclass(frozen=True, slots=True)
class MoveLimits:
    """Moves a second: in total, of each donor, to each target. A target without an entry is not limited."""

    total: float
    donor: float = math.inf
    donors: Rates = field(default_factory=dict)  # of donors that may give less
    targets: Rates = field(default_factory=dict)
    due: Rates = field(default_factory=dict)  # donors with a deadline, and the rate that meets it
    forced: frozenset[NodeName] = frozenset()  # of these, the donors whose deadline overrides all limits

    def of_donor(self, name: NodeName) -> float:
        """The moves a second that the donor `name` may give."""
        return min(self.donor, self.donors.get(name, math.inf))

    def to_target(self, name: NodeName) -> float:
        """The moves a second that the target `name` may get."""
        return self.targets.get(name, math.inf)


def moves_per_s(connections: int, nodes: int, config: BalanceConfig) -> float:
    """The budget of moves a second in a cluster of `nodes` that holds `connections`."""
    wanted = max(config.moves_per_s_min, config.moves_share_per_s * connections)
    ceiling = config.moves_per_s_max or max(CEILING_MIN, CEILING_OF_NODE * nodes, config.moves_per_s_min)
    return min(ceiling, wanted)


def plan_needs_s(plan: Plan, limits: MoveLimits) -> float:
    """The duration of `plan` at the pace of `limits`: the duration of its slowest part. Infinite if a target's limit is
    0."""
    given = _sums((quota.donor, quota.count) for quota in plan.quotas)
    got = _sums((quota.target, quota.count) for quota in plan.quotas)
    parts = [
        (plan.moves, limits.total),
        *((count, limits.of_donor(name)) for name, count in given.items()),
        *((count, limits.to_target(name)) for name, count in got.items()),
    ]
    return max(count / rate if rate > 0 else math.inf for count, rate in parts) if plan.moves else 0.0


def safe_donors(nodes: Iterable[NodeLoad]) -> dict[NodeName, float]:
    """The moves a second that each node can give beside its clients; a node that drains is not limited."""
    return {
        node.name: node.report.accept_per_s
        for node in nodes
        if node.report is not None and node.report.accept_per_s > 0 and node.state is NodeState.ACTIVE
    }


def safe_targets(nodes: Iterable[NodeLoad], arrivals: Arrivals, config: BalanceConfig) -> dict[NodeName, float]:
    """The moves a second that each node can serve beside the clients that come to it by themselves."""
    return {
        node.name: max(0.0, config.target_share * node.report.accept_per_s - arrivals.per_s(node.name))
        for node in nodes
        if node.report is not None and node.report.accept_per_s > 0
    }


class Pacer:
    """Cuts plans into orders. One instance per leadership: it carries fractions of moves from order to order."""

    def __init__(self) -> None:
        self._owed: dict[Pair, float] = {}
        self._spare: dict[tuple[str, NodeName], float] = {}  # fractions of the limits

    def orders(self, plan: Plan, limits: MoveLimits, dt: float) -> list[Quota]:
        """Return the orders for the next `dt` seconds: each quota's part of the budget, in proportion."""
        if not plan.moves:
            self.rest()
            return []
        rates = _rates(plan, limits, dt)
        self._owed = {pair: self._owed.get(pair, 0.0) + rate * dt for pair, rate in rates.items()}
        room = self._room(plan, limits, dt)
        orders = []
        for quota in sorted(plan.quotas, key=lambda quota: self._turn(quota, limits)):
            pair = (quota.donor, quota.target)
            bounds = [] if quota.donor in limits.forced else _bounds(quota)
            allowed = min([self._owed[pair], *(room[bound] for bound in bounds)])
            count = max(0, min(quota.count, int(allowed + ROUNDING)))
            if count:
                orders.append(Quota(quota.donor, quota.target, count))
                self._owed[pair] -= count
                for bound in _bounds(quota):
                    room[bound] -= count
        self._spare = {bound: min(max(left, 0.0), 1.0) for bound, left in room.items()}
        return orders

    def rest(self) -> None:
        """Note that a round has no moves: nothing is owed any more."""
        self._owed.clear()

    def _turn(self, quota: Quota, limits: MoveLimits) -> tuple[bool, bool, float]:
        pair = (quota.donor, quota.target)
        return quota.donor not in limits.forced, quota.donor not in limits.due, -self._owed[pair]

    def _room(self, plan: Plan, limits: MoveLimits, dt: float) -> dict[tuple[str, NodeName], float]:
        """Return the moves that each limit allows in this interval, with the fraction left from the interval before."""
        rates = {_TOTAL: limits.total}
        for quota in plan.quotas:
            rates["from", quota.donor] = limits.of_donor(quota.donor)
            rates["to", quota.target] = limits.to_target(quota.target)
        return {bound: rate * dt + self._spare.get(bound, 0.0) for bound, rate in rates.items()}


_TOTAL = ("all", NodeName(""))


def _bounds(quota: Quota) -> list[tuple[str, NodeName]]:
    return [_TOTAL, ("from", quota.donor), ("to", quota.target)]


def _rates(plan: Plan, limits: MoveLimits, dt: float) -> dict[Pair, float]:
    """The moves a second with which each pair is credited."""
    given = _sums((quota.donor, quota.count) for quota in plan.quotas)
    rates = {(quota.donor, quota.target): 0.0 for quota in plan.quotas}
    for forced in (True, False):
        left = max(0.0, limits.total - sum(rates.values()))
        timed = [
            quota for quota in plan.quotas if quota.donor in limits.due and forced == (quota.donor in limits.forced)
        ]
        wanted = {quota: limits.due[quota.donor] * quota.count / given[quota.donor] for quota in timed}
        part = 1.0 if forced else min(1.0, left / max(sum(wanted.values()), ROUNDING))
        rates |= {(quota.donor, quota.target): rate * part for quota, rate in wanted.items()}
    others = [quota for quota in plan.quotas if quota.donor not in limits.due]
    left = max(0.0, limits.total - sum(rates.values()))
    share = min(1.0 / dt, left / max(sum(quota.count for quota in others), 1))
    rates |= {(quota.donor, quota.target): quota.count * share for quota in others}
    outflow = _sums((donor, rate) for (donor, _), rate in rates.items())
    inflow = _sums((target, rate) for (_, target), rate in rates.items())
    for (donor, target), rate in rates.items():
        if donor not in limits.forced:
            by_donor = min(1.0, limits.of_donor(donor) / max(outflow[donor], ROUNDING))
            by_target = min(1.0, limits.to_target(target) / max(inflow[target], ROUNDING))
            rates[donor, target] = rate * min(by_donor, by_target)
    return rates


def _sums(counts: Iterable[tuple[NodeName, float]]) -> dict[NodeName, float]:
    total: dict[NodeName, float] = {}
    for name, count in counts:
        total[name] = total.get(name, 0.0) + count
    return total
