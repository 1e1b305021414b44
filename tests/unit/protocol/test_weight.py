"""The rule for weights, wherever one is given."""

import math

import pytest

from ringway.errors import ConfigError
from ringway.node.config import NodeConfig
from ringway.protocol.backend import Backend, problems_of
from ringway.protocol.weight import WEIGHT_MAX, WEIGHT_MIN, WEIGHT_RULE, bound_weight, is_weight
from ringway.sidecar.config import JoinConfig
from ringway.types import NodeName

GOOD = [0.0, -0.0, WEIGHT_MIN, 1.0, WEIGHT_MAX]
BAD = [1e-320, WEIGHT_MIN / 2, -1.0, WEIGHT_MAX + 1, math.nan, math.inf]


@pytest.mark.parametrize("weight", GOOD)
def test_a_weight_is_0_or_from_a_thousandth_to_a_thousand(weight: float) -> None:
    assert is_weight(weight)
    assert NodeConfig(weight=weight).weight == JoinConfig(weight=weight).weight == weight
    assert problems_of(Backend(name=NodeName("a"), url="ws://h:1", weight=weight)) == []


@pytest.mark.parametrize("weight", BAD)
def test_every_other_is_refused_by_the_same_rule_for_nodes_backends_and_sidecars(weight: float) -> None:
    assert not is_weight(weight)
    for config in (NodeConfig, JoinConfig):
        with pytest.raises(ConfigError) as refused:
            config(weight=weight)
        assert f"it must be {WEIGHT_RULE}" in str(refused.value)
    [problem] = problems_of(Backend(name=NodeName("a"), url="ws://h:1", weight=weight))
    assert problem.endswith(f"must be {WEIGHT_RULE}")


@pytest.mark.parametrize(("weight", "bounded"), [(0.0, 0.0), (1e-9, WEIGHT_MIN), (5.0, 5.0), (1e9, WEIGHT_MAX)])
def test_a_weight_that_was_computed_is_brought_into_the_bounds(weight: float, bounded: float) -> None:
    assert bound_weight(weight) == bounded
