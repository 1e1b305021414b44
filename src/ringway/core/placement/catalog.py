"""Catalog of the policies, by name."""

from collections.abc import Callable

from ringway.core.placement.least_connected import LeastConnected
from ringway.core.placement.least_loaded import LeastLoaded
from ringway.core.placement.least_response_time import LeastResponseTime
from ringway.core.placement.maglev import Maglev
from ringway.core.placement.policy import Options, Policy
from ringway.core.placement.rendezvous import Rendezvous
from ringway.core.placement.ring import Ring
from ringway.core.placement.round_robin import RoundRobin
from ringway.core.placement.score import Score
from ringway.core.placement.spec import PolicySpec, parse_spec, read_options, unknown_policy
from ringway.core.placement.two_choices import TwoChoices
from ringway.core.placement.weighted_round_robin import WeightedRoundRobin

POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        TwoChoices, RoundRobin, WeightedRoundRobin, LeastConnected, LeastLoaded, LeastResponseTime,
        Rendezvous, Ring, Maglev, Score,
    )
}  # fmt: skip
"""Every policy, by its name. Each is made from its options and the cluster's secret, which keys hashes."""


def make_policy(spec: PolicySpec | str, secret: bytes) -> Policy:
    """Return the policy that `spec` names, with its options; raise `ConfigError` that says what would be right."""
    if isinstance(spec, str):
        spec = parse_spec(spec)
    kind = POLICIES.get(spec.name)
    if kind is None:
        raise unknown_policy(spec.name, list(POLICIES))
    make: Callable[[Options, bytes], Policy] = kind
    return make(read_options(spec, kind.options_type), secret)
