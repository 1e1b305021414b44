"""Where connections should be, and how they get there: `plan` says what, `pace` how fast, `guard` when not.

A leader's decisions come together in `term`, round by round.
"""

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.plan import Plan, Quota

__all__ = ["BalanceConfig", "Plan", "Quota"]
