"""The slow weight loop, over a cluster that is simulated second by second: load follows weight late, measures follow
load late, nodes differ, and some of their utilisation has nothing to do with connections."""

from dataclasses import dataclass, field
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.custom.trim import PERIOD_S, STEP_MAX, STEP_MIN, TRIM_MAX, TRIM_MIN, TrimInput, Trims
from sample import rng


@dataclass
class Plant:
    """`costs`: utilisation that one connection makes at each node; `basis`: what is there without any."""

    costs: list[float]
    basis: list[float]
    lag_s: float  # how long connections take to follow a weight
    delay_s: int  # how old a measure is when it comes
    tau_s: float = 10.0  # of the average over values, and of the loads beside them
    noise: float = 0.0
    connections: float = 10_000.0
    trims: Trims = field(default_factory=Trims)

    def run(self, seconds: int) -> list[dict[str, float]]:
        """Return the factors after each step."""
        names = [f"n{index}" for index in range(len(self.costs))]
        dice = rng(7)
        loads = [self.connections / len(names)] * len(names)
        seen = [[self.utilisation(index, load), load] for index, load in enumerate(loads)]
        past = [loads]
        history = []
        for second in range(1, seconds + 1):
            weights = [self.trims.factors.get(name, 1.0) for name in names]
            gone = exp(-1.0 / self.lag_s) if self.lag_s else 0.0
            aims = [self.connections * weight / sum(weights) for weight in weights]
            loads = [aim + gone * (load - aim) for aim, load in zip(aims, loads, strict=True)]
            past = [*past[-self.delay_s :], loads] if self.delay_s else [loads]
            for index, load in enumerate(loads):  # the load is known now, the value is as old as it is
                value = self.utilisation(index, past[0][index]) * (1 + dice.uniform(-self.noise, self.noise))
                keep = exp(-1.0 / self.tau_s)
                seen[index] = [value + keep * (seen[index][0] - value), load + keep * (seen[index][1] - load)]
            if second % PERIOD_S == 0:
                self.trims.step({name: TrimInput(*seen[index], 1.0) for index, name in enumerate(names)})
                history.append(dict(self.trims.factors))
        self.loads = loads
        return history

    def utilisation(self, index: int, load: float) -> float:
        return self.basis[index] + self.costs[index] * load

    def spread(self) -> float:
        now = [self.utilisation(index, load) for index, load in enumerate(self.loads)]
        return max(now) / min(now)


def turns(values: list[float], by: float) -> int:
    """How often `values` turned round after having gone `by` (a ratio) in one direction."""
    extreme, direction, count = values[0], 0, 0
    for value in values:
        if (direction >= 0 and value > extreme) or (direction <= 0 and value < extreme):
            if direction == 0 and abs(value / extreme - 1) > by:
                direction = 1 if value > extreme else -1
            if direction:
                extreme = value
        elif direction and abs(value / extreme - 1) > by:
            count, direction, extreme = count + 1, -direction, value
    return count


@pytest.mark.parametrize("lag_s", [0.0, 10.0, 60.0, 600.0, 3600.0])
@pytest.mark.parametrize("delay_s", [0, 5, 15])
def test_a_slow_node_among_equals_is_relieved_and_nothing_swings(lag_s, delay_s):
    cost = 0.6 / 2000
    plant = Plant([cost * 1.5, cost, cost, cost, cost], [0.0] * 5, lag_s, delay_s)
    history = plant.run(int(1200 + 5 * lag_s))
    assert plant.spread() < 1.12
    for name in history[-1]:
        assert turns([step[name] for step in history], by=0.05) <= 1, name
    last = history[-30:]
    assert all(max(step[name] for step in last) / min(step[name] for step in last) < 1.03 for name in history[-1])


@given(
    costs=st.lists(st.floats(0.6, 1.8), min_size=2, max_size=12),
    basis=st.lists(st.floats(0.0, 0.15), min_size=12, max_size=12),
    lag_s=st.sampled_from([0.0, 5.0, 30.0, 300.0, 1800.0]),
    delay_s=st.integers(0, 15),
    noise=st.sampled_from([0.0, 0.03]),
)
def test_whatever_the_cluster_is_like_it_comes_to_rest(costs, basis, lag_s, delay_s, noise):
    per_node = 10_000 / len(costs)
    plant = Plant([0.5 * cost / per_node for cost in costs], basis[: len(costs)], lag_s, delay_s, noise=noise)
    before = Plant(plant.costs, plant.basis, 0.0, 0)
    before.loads = [per_node] * len(costs)
    history = plant.run(int(1500 + 4 * lag_s))
    for name in history[-1]:
        values = [step[name] for step in history]
        assert turns(values, by=0.08) <= 2, values
        late = values[-40:]
        assert max(late) / min(late) < 1.1
    assert plant.spread() <= before.spread() * 1.02
    assert plant.spread() <= 1.3


def step(trims: Trims, **parts: tuple[float | None, float, float]) -> dict[str, float]:
    trims.step({name: TrimInput(*part) for name, part in parts.items()})
    return trims.factors


def test_a_step_is_ten_percent_at_most_and_the_sum_of_weights_stays():
    factors = step(Trims(), a=(2.0, 100, 1.0), b=(0.1, 100, 3.0))
    assert factors["a"] < 1 < factors["b"]
    assert factors["b"] / factors["a"] == pytest.approx(STEP_MAX / STEP_MIN)
    assert factors["a"] + 3 * factors["b"] == pytest.approx(4)


def test_trims_stay_within_their_bounds_however_long_it_lasts():
    trims = Trims()
    for _ in range(200):  # a neighbour that eats the machine whatever load it has
        share = trims.factors.get("a", 1.0)
        step(trims, a=(5.0, 100 * share, 1.0), b=(0.2, 100, 1.0), c=(0.2, 100, 1.0))
    assert trims.factors["a"] == TRIM_MIN
    assert max(trims.factors.values()) <= TRIM_MAX


@pytest.mark.parametrize("held", [0, 30, 400])
def test_a_node_far_from_its_share_rests(held):
    """A newcomer that fills, or one that nobody leaves: nothing can be told of what it would be at its share."""
    factors = step(Trims(), a=(0.02, held, 1.0), b=(0.5, 100, 1.0), c=(0.5, 100, 1.0), d=(0.5, 100, 1.0))
    assert factors == {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}


def test_an_idle_cluster_is_left_alone():
    assert step(Trims(), a=(0.01, 10, 1.0), b=(0.05, 10, 1.0)) == {"a": 1.0, "b": 1.0}


def test_within_the_dead_band_nothing_moves():
    assert step(Trims(), a=(0.51, 100, 1.0), b=(0.49, 100, 1.0)) == {"a": 1.0, "b": 1.0}


def test_where_nothing_is_known_any_more_weights_go_back():
    trims = Trims()
    for _ in range(5):
        step(trims, a=(0.8, 100, 1.0), b=(0.4, 100, 1.0))
    assert trims.factors["a"] < 0.9
    for _ in range(20):
        step(trims, a=(None, 100, 1.0), b=(None, 100, 1.0))
    assert trims.factors == {"a": pytest.approx(1), "b": pytest.approx(1)}


def test_a_node_that_leaves_is_forgotten_and_none_at_all_is_no_fault():
    trims = Trims()
    step(trims, a=(0.8, 100, 1.0), b=(0.4, 100, 1.0))
    assert set(step(trims, b=(0.4, 100, 1.0))) == {"b"}
    trims.step({})
    assert trims.factors == {}
    assert step(trims, a=(0.9, 0, 0.0)) == {"a": 1.0}
