from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.custom.score import UTILISATION_MAX, Board, ExternalMetric
from ringway.errors import ConfigError
from ringway.types import NodeName

A, B, C, D = (NodeName(name) for name in "abcd")
CPU = ExternalMetric(name="cpu", threshold=0.8, tau_s=0.0, expire_s=30)
FREE = ExternalMetric(name="free", threshold=200, better="higher", tau_s=0.0, expire_s=30)
ALL = {A: 10.0, B: 10.0, C: 10.0, D: 10.0}


def board(*metrics: ExternalMetric, blend="bottleneck", **values) -> Board:
    """A board where at 0 s nodes had `values`: a={"cpu": 0.4}."""
    made = Board(metrics, blend)
    for node, by_metric in values.items():
        for metric, value in by_metric.items():
            made.read(NodeName(node), metric, value, 10.0, 0.0)
    return made


def test_utilisation_is_one_at_the_threshold_in_either_direction():
    assert CPU.utilisation(0.8) == FREE.utilisation(200) == 1
    assert CPU.utilisation(0.4) == FREE.utilisation(400) == 0.5


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_utilisation_is_bounded_whatever_is_measured(value):
    assert 0 <= CPU.utilisation(value) <= UTILISATION_MAX
    assert 0 <= FREE.utilisation(value) <= UTILISATION_MAX


def test_the_bottleneck_is_the_score_or_the_weighted_mean():
    values = {"a": {"cpu": 0.4, "free": 250}}
    assert board(CPU, FREE, **values).judge({A: 10}, 0)[A].score == pytest.approx(0.2)
    half = ExternalMetric(name="free", threshold=200, better="higher", weight=0.25)
    assert board(CPU, half, blend="sum", **values).judge({A: 10}, 0)[A].utilisation == pytest.approx(
        (0.5 + 0.25 * 0.8) / 1.25
    )


def test_a_metric_without_weight_counts_for_no_score():
    weightless = ExternalMetric(name="cpu", threshold=0.8, weight=0)
    standing = board(weightless, a={"cpu": 5.0}).judge({A: 10}, 0)[A]
    assert (standing.utilisation, standing.score) == (None, None)
    assert standing.values["cpu"].value == 5.0


def test_a_missing_value_is_the_median_of_the_others_and_never_zero():
    judged = board(CPU, a={"cpu": 0.2}, b={"cpu": 0.5}, c={"cpu": 0.7}).judge(ALL, 0)
    assert judged[D].values["cpu"] == (0.5, 10.0, False)
    assert judged[A].values["cpu"] == (0.2, 10.0, True)
    even = board(CPU, a={"cpu": 0.2}, b={"cpu": 0.6}).judge(ALL, 0)
    assert even[D].values["cpu"].value == pytest.approx(0.4)


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=9), st.integers(1, 4))
def test_nodes_without_values_stand_between_the_others(values, missing):
    made = board(CPU, **{f"n{index}": {"cpu": value} for index, value in enumerate(values)})
    nodes = {NodeName(f"n{index}"): 0.0 for index in range(len(values) + missing)}
    judged = made.judge(nodes, 0)
    for index in range(len(values), len(values) + missing):
        assert min(values) <= judged[NodeName(f"n{index}")].values["cpu"].value <= max(values)


def test_an_expired_value_is_missing():
    made = board(CPU, a={"cpu": 0.2}, b={"cpu": 0.2})
    made.read(A, "cpu", 0.9, 10, 20)
    assert made.judge({A: 10, B: 10}, 29)[B].values["cpu"].measured
    assert made.judge({A: 10, B: 10}, 31)[B].values["cpu"] == (0.9, 10.0, False)
    assert made.judge({A: 10, B: 10}, 51)[A].values == {}  # nobody has any: the metric says nothing


def test_the_median_is_taken_of_nodes_that_are_there():
    made = board(CPU, a={"cpu": 0.9}, b={"cpu": 0.1})
    assert made.judge({B: 10, C: 10}, 0)[C].values["cpu"].value == 0.1
    made.forget_others({A})
    assert made.judge(ALL, 0)[B].values["cpu"].value == 0.9


def test_values_and_the_loads_beside_them_are_smoothed_alike():
    made = Board([ExternalMetric(name="cpu", tau_s=10, expire_s=30)])
    made.read(A, "cpu", 0.0, 0, 0)
    made.read(A, "cpu", 1.0, 100, 10)
    value = made.judge({A: 100}, 10)[A].values["cpu"]
    assert value.value == pytest.approx(0.632, abs=0.001)
    assert value.load == pytest.approx(63.2, abs=0.1)
    made.read(A, "cpu", 0.5, 7, 50)  # after it expired: begun anew
    assert made.judge({A: 100}, 50)[A].values["cpu"] == (0.5, 7, True)


def test_watermarks_default_to_the_threshold_and_twenty_percent_on_its_good_side():
    assert CPU.watermarks == (pytest.approx(0.64), 0.8)
    assert FREE.watermarks == (200, 250)
    assert ExternalMetric(name="cpu", threshold=0.8, low=0.6, high=0.9).watermarks == (0.6, 0.9)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"threshold": 0}, "the threshold of the metric 'm' is 0; it must be a number above 0"),
        ({"threshold": nan}, "a number above 0"),
        ({"threshold": inf}, "a number above 0"),
        ({"weight": -1}, "the weight of the metric 'm' is -1; it must be 0 or more"),
        ({"tau_s": -1}, "0 or more seconds"),
        ({"expire_s": 0}, "above 0 seconds"),
        ({"low": 0.9, "high": 0.6}, "low=0.9 and high=0.6; low must be below high"),
        ({"low": nan}, "low must be below high"),
    ],
)
def test_contradictions_are_told(fields, problem):
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(")):
        ExternalMetric(name="m", **fields)
