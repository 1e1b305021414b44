"""How much of a plan to order now: the budget of moves a second, shared among the pairs.

The rate is the least of what the operator allows (a share of all connections, and an absolute bound) and what the
targets can take: handshakes are what a reconnecting crowd costs. Fractions are carried over, so slow rates are exact.

Theory: each pair is owed its part of every interval, and is given whole moves of what it is owed. Pairs that are owed
little come due together (fifty pairs of 0.4 a second all reach 1 in the third): budget and target limits bound their
sum, too, and what they keep back stays owed.
"""

import math
from collections.abc import Mapping

from ringway.core.balance import BalanceConfig, Plan, Quota
from ringway.types import NodeName

ROUNDING = 1e-9
"""Ten times 0.1 is a whole move."""


def moves_per_s(connections: int, config: BalanceConfig) -> float:
    """The cluster's budget of moves a second while it holds `connections`."""
    wanted = max(config.moves_per_s_min, config.moves_share_per_s * connections)
    return min(config.moves_per_s_max, wanted)


class Pacer:
    """Cuts plans into orders. One instance per leadership: it carries the fractions from order to order."""

    def __init__(self, config: BalanceConfig) -> None:
        self._config = config
        self._owed: dict[tuple[NodeName, NodeName], float] = {}
        self._spare: dict[NodeName, float] = {}  # fractions of the targets' limits
        self._spare_budget = 0.0

    def orders(self, plan: Plan, connections: int, accept_per_s: Mapping[NodeName, float], dt: float) -> list[Quota]:
        """Return what to order for the next `dt` seconds: each quota's part of the budget, in proportion.

        `accept_per_s` is what each target can take; a target that it does not name is not limited by it.
        """
        if not plan.moves:
            self._owed.clear()
            return []
        fresh = moves_per_s(connections, self._config) * dt
        share = min(1.0, fresh / plan.moves)
        limits = {
            target: accept_per_s.get(target, math.inf) * self._config.target_share * dt
            for target in {quota.target for quota in plan.quotas}
        }
        self._owe(plan, share, limits)
        budget = fresh + self._spare_budget
        room = {target: limit + self._spare.get(target, 0.0) for target, limit in limits.items()}
        orders = []
        for quota in sorted(plan.quotas, key=lambda quota: -self._owed[quota.donor, quota.target]):
            pair = (quota.donor, quota.target)
            count = min(quota.count, int(min(self._owed[pair], room[quota.target], budget) + ROUNDING))
            if count:
                orders.append(Quota(quota.donor, quota.target, count))
                self._owed[pair] -= count
                room[quota.target] -= count
                budget -= count
        self._spare_budget = min(max(budget, 0.0), 1.0)
        self._spare = {target: min(max(left, 0.0), 1.0) for target, left in room.items()}
        return orders

    def _owe(self, plan: Plan, share: float, limits: Mapping[NodeName, float]) -> None:
        """Add each pair's part of this interval to what it is owed; pairs that left the plan are owed nothing."""
        inflow: dict[NodeName, float] = {}
        for quota in plan.quotas:
            inflow[quota.target] = inflow.get(quota.target, 0.0) + quota.count * share
        owed = {}
        for quota in plan.quotas:
            pair = (quota.donor, quota.target)
            part = quota.count * share * min(1.0, limits[quota.target] / inflow[quota.target])
            owed[pair] = self._owed.get(pair, 0.0) + part
        self._owed = owed
