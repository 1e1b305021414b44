"""Pace of moves: the part of a plan to order now, from a budget of moves a second that all pairs share.

    r = min(share of all connections, absolute maximum, what each donor may give, rho C_j - lambda_j of each target j)

`C_j` is the handshakes a second that a target can take, `rho` the part of them that may be used, `lambda_j` the clients
that come to it by themselves. A slow target slows its own pairs only (tests/property/test_balance_dynamics.py).

Theory: each pair is owed its part of every interval, and is given whole moves of that; fractions are carried over, so
slow rates are exact. Pairs that are owed little come due together (fifty pairs of 0.4 a second all reach 1 in the
third): all limits bound their sum, too, and moves that they keep back stay owed. Donors with a deadline come first, at
just the rate that meets it; the other donors share the rest.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ringway.core.balance.arrival import Arrivals
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.plan import Plan, Quota
from ringway.core.load import NodeLoad
from ringway.types import NodeName

ROUNDING = 1e-9
"""Ten times 0.1 is a whole move."""

Rates = Mapping[NodeName, float]
Pair = tuple[NodeName, NodeName]


@dataclass(frozen=True, slots=True)
class MoveLimits:
    """Moves a second: of all, of each donor, to each target. A target that is not named is not limited."""

    total: float
    donor: float = math.inf
    targets: Rates = field(default_factory=dict)
    due: Rates = field(default_factory=dict)  # donors with a deadline, and the rate that meets it
    forced: frozenset[NodeName] = frozenset()  # of these, the donors whose deadline overrides all limits


def moves_per_s(connections: int, config: BalanceConfig) -> float:
    """The cluster's budget of moves a second while it holds `connections`."""
    wanted = max(config.moves_per_s_min, config.moves_share_per_s * connections)
    return min(config.moves_per_s_max, wanted)


def safe_targets(nodes: Iterable[NodeLoad], arrivals: Arrivals, config: BalanceConfig) -> dict[NodeName, float]:
    """How many moves a second each node can take beside the clients that come to it by themselves."""
    return {
        node.name: max(0.0, config.target_share * node.report.accept_per_s - arrivals.per_s(node.name))
        for node in nodes
        if node.report is not None and node.report.accept_per_s > 0
    }


class Pacer:
    """Cuts plans into orders. One instance per leadership: it carries the fractions from order to order."""

    def __init__(self) -> None:
        self._owed: dict[Pair, float] = {}
        self._spare: dict[tuple[str, NodeName], float] = {}  # fractions of the limits

    def orders(self, plan: Plan, limits: MoveLimits, dt: float) -> list[Quota]:
        """Return what to order for the next `dt` seconds: each quota's part of the budget, in proportion."""
        if not plan.moves:
            self._owed.clear()
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

    def _turn(self, quota: Quota, limits: MoveLimits) -> tuple[bool, bool, float]:
        pair = (quota.donor, quota.target)
        return quota.donor not in limits.forced, quota.donor not in limits.due, -self._owed[pair]

    def _room(self, plan: Plan, limits: MoveLimits, dt: float) -> dict[tuple[str, NodeName], float]:
        """Return the moves that each limit allows in this interval, with the fraction left from the interval before."""
        rates = {_TOTAL: limits.total}
        for quota in plan.quotas:
            rates["from", quota.donor] = limits.donor
            rates["to", quota.target] = limits.targets.get(quota.target, math.inf)
        return {bound: rate * dt + self._spare.get(bound, 0.0) for bound, rate in rates.items()}


_TOTAL = ("all", NodeName(""))


def _bounds(quota: Quota) -> list[tuple[str, NodeName]]:
    return [_TOTAL, ("from", quota.donor), ("to", quota.target)]


def _rates(plan: Plan, limits: MoveLimits, dt: float) -> dict[Pair, float]:
    """How many moves a second each pair is owed."""
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
            by_donor = min(1.0, limits.donor / max(outflow[donor], ROUNDING))
            by_target = min(1.0, limits.targets.get(target, math.inf) / max(inflow[target], ROUNDING))
            rates[donor, target] = rate * min(by_donor, by_target)
    return rates


def _sums(counts: Iterable[tuple[NodeName, float]]) -> dict[NodeName, float]:
    total: dict[NodeName, float] = {}
    for name, count in counts:
        total[name] = total.get(name, 0.0) + count
    return total
