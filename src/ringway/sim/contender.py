"""Contenders: a policy of the product with its balancer, or a common way without a balancer."""

import math

import msgspec

from ringway.core.balance.config import BalanceConfig
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.policy import Policy
from ringway.core.placement.score import FindFunction, refuse_function
from ringway.errors import ConfigError
from ringway.sim.placer import AtRandom, Modulo

SECRET = b"simulation"

BASELINES = {
    "modulo": "keys placed by hash modulo the number of nodes; after a change everybody reconnects to the new owner",
    "reconnect-all": "after a change every node closes all connections, and they come back to any node",
    "restart-all": "all servers are restarted at once",
    "shed": "full nodes close connections without saying where to go, as long as they are full",
}
"""Ways without directed moves, for comparison."""


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the comparison."""

    name: str
    policy: str = ""  # a policy of the product; empty for a baseline
    baseline: str = ""
    balance: BalanceConfig = msgspec.field(default_factory=BalanceConfig)
    find_function: FindFunction = refuse_function

    @property
    def directed(self) -> bool:
        """True if the product's balancer moves connections."""
        return not self.baseline

    def make_policy(self) -> Policy:
        """Return a new policy, as each gateway has its own."""
        if self.baseline == "modulo":
            return Modulo()
        if self.baseline:
            return AtRandom()
        return make_policy(self.policy, SECRET, self.find_function)


def make_contenders(
    policies: list[str],
    baselines: list[str],
    paces: list[float],
    balance: BalanceConfig,
    find_function: FindFunction = refuse_function,
) -> list[Contender]:
    """Return each policy at each pace, and each baseline; raise `ConfigError` if one does not exist.

    `find_function` finds the functions that policies call.
    """
    unknown = [name for name in baselines if name not in BASELINES]
    if unknown:
        raise ConfigError(f"the baseline {unknown[0]!r} is unknown; choose from {', '.join(BASELINES)}")
    contenders = []
    for policy in policies:
        make_policy(policy, SECRET, find_function)  # a wrong policy is refused now
        for pace in paces:
            if not 0 < pace < math.inf:
                raise ConfigError(f"a pace of {pace:g} moves a second; give a number above 0")
            paced = msgspec.structs.replace(balance, moves_per_s_max=pace)
            name = f"{policy} at {pace:g} moves/s"
            contenders.append(Contender(name=name, policy=policy, balance=paced, find_function=find_function))
        if not paces:
            contenders.append(Contender(name=policy, policy=policy, balance=balance, find_function=find_function))
    contenders += [Contender(name=name, baseline=name, balance=balance) for name in baselines]
    names = [contender.name for contender in contenders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{twice[0]} is given twice; give each policy, baseline and pace once")
    return contenders
