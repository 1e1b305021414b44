"""Statistics of a balancer, for metrics and operators: plain numbers that are read at each scrape."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class BalancerStats:
    """Gauges of the balancer itself, which hold for all groups."""

    leading: bool = False


@dataclass(slots=True)
class GroupStats:
    """Counters of one group, and gauges, which are 0 while a different balancer leads."""

    frozen: bool = False
    imbalance: float = 0.0
    moves_planned: int = 0
    moves_ordered: Counter[str] = field(default_factory=Counter)  # by cause
    orders_failed: int = 0
    balance_s: float = 0.0
    reconnect_window_s: float = 0.0
    reason: str = "not leading"

    def rest(self) -> None:
        """Set the gauges to 0: a different balancer leads now."""
        self.frozen = False
        self.imbalance = self.reconnect_window_s = 0.0
        self.moves_planned = 0
        self.reason = "not leading"
