"""The balancer: runs in every gateway, one leads by the engine's lease; plans are `core.balance.plan`'s."""

from ringway.balancer.balancer import Balancer
from ringway.balancer.stats import BalancerStats

__all__ = ["Balancer", "BalancerStats"]
