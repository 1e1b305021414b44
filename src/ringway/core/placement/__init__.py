"""Policies: each chooses the node for one connection, over effective load, in a file of its own.

To add one: write it after the model of its neighbours, and give it a row in `POLICIES`.
"""

from collections.abc import Callable

from ringway.core.placement.least_connected import LeastConnected
from ringway.core.placement.policy import Policy
from ringway.core.placement.ring import Ring
from ringway.core.placement.round_robin import RoundRobin
from ringway.core.placement.two_choices import TwoChoices
from ringway.errors import ConfigError

POLICIES: dict[str, Callable[[bytes], Policy]] = {
    "two-choices": lambda _: TwoChoices(),
    "round-robin": lambda _: RoundRobin(),
    "least-connected": lambda _: LeastConnected(),
    "ring": Ring,
}
"""Name to constructor; the argument is the cluster's secret, which keys hashes."""

DEFAULT_POLICY = "two-choices"


def make_policy(name: str, secret: bytes) -> Policy:
    """Return the policy `name`; raise `ConfigError` that lists the names there are."""
    if name not in POLICIES:
        raise ConfigError(f"the policy {name!r} is unknown; choose one of {', '.join(POLICIES)}")
    return POLICIES[name](secret)


__all__ = ["DEFAULT_POLICY", "POLICIES", "LeastConnected", "Policy", "Ring", "RoundRobin", "TwoChoices", "make_policy"]
