"""How much of a plan to order now: the budget of moves a second, shared among the pairs.

The rate is the least of what the operator allows (a share of all connections, and an absolute bound) and what the
targets can take: handshakes are what a reconnecting crowd costs. Fractions are carried over, so slow rates are exact.
"""

from collections.abc import Mapping

from ringway.core.balance import BalanceConfig, Plan, Quota
from ringway.types import NodeName


def moves_per_s(connections: int, config: BalanceConfig) -> float:
    """The cluster's budget of moves a second while it holds `connections`."""
    wanted = max(config.moves_per_s_min, config.moves_share_per_s * connections)
    return min(config.moves_per_s_max, wanted)


class Pacer:
    """Cuts plans into orders. One instance per leadership: it carries the fractions from order to order."""

    def __init__(self, config: BalanceConfig) -> None:
        self._config = config
        self._carry: dict[tuple[NodeName, NodeName], float] = {}

    def orders(self, plan: Plan, connections: int, accept_per_s: Mapping[NodeName, float], dt: float) -> list[Quota]:
        """Return what to order for the next `dt` seconds: each quota's part of the budget, in proportion.

        `accept_per_s` is what each target can take; a target that it does not name is not limited by it.
        """
        total = plan.moves
        if not total:
            self._carry.clear()
            return []
        share = min(1.0, moves_per_s(connections, self._config) * dt / total)
        inflow: dict[NodeName, float] = {}
        for quota in plan.quotas:
            inflow[quota.target] = inflow.get(quota.target, 0.0) + quota.count * share
        orders = []
        carry: dict[tuple[NodeName, NodeName], float] = {}
        for quota in plan.quotas:
            limit = accept_per_s.get(quota.target, float("inf")) * self._config.target_share * dt
            due = quota.count * share * min(1.0, limit / inflow[quota.target])
            pair = (quota.donor, quota.target)
            due += self._carry.get(pair, 0.0)
            count = min(quota.count, int(due))
            carry[pair] = min(due - count, 1.0)
            if count:
                orders.append(Quota(quota.donor, quota.target, count))
        self._carry = carry
        return orders
