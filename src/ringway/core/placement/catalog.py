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
from ringway.core.placement.score import FindFunction, Score, ScoreOptions, refuse_function
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
"""Every policy, by its name. A policy is made from its options and the cluster's secret, which keys the hashes; `Score`
is made from its options and a finder of functions."""


def make_policy(spec: PolicySpec | str, secret: bytes, find_function: FindFunction = refuse_function) -> Policy:
    """Return the policy that `spec` names, with its options; raise `ConfigError` with the remedy if `spec` is wrong.

    `find_function` finds the function that the policy `score` calls.
    """
    if isinstance(spec, str):
        spec = parse_spec(spec)
    kind = POLICIES.get(spec.name)
    if kind is None:
        raise unknown_policy(spec.name, list(POLICIES))
    options = read_options(spec, kind.options_type)
    if isinstance(options, ScoreOptions):
        return Score(options, find_function)
    make: Callable[[Options, bytes], Policy] = kind
    return make(options, secret)
