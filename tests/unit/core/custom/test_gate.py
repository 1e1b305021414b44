from hypothesis import given
from hypothesis import strategies as st

from ringway.core.custom.gate import Gates
from ringway.core.custom.score import ExternalMetric, NodeScore, Value
from ringway.types import NodeName

CPU = ExternalMetric(name="cpu", threshold=0.8, low=0.6, high=0.9)
FREE = ExternalMetric(name="free", threshold=200, low=100, high=150, better="higher")
EQUAL = {NodeName(name): 1.0 for name in "abcd"}


def standings(**values: dict[str, float]) -> dict[NodeName, NodeScore]:
    return {
        NodeName(node): NodeScore({name: Value(value, 0, True) for name, value in by_metric.items()}, None, 0)
        for node, by_metric in values.items()
    }


def cpus(gates: Gates, weights=EQUAL, orders=None, **values: float) -> dict[NodeName, str]:
    return gates.judge(standings(**{node: {"cpu": value} for node, value in values.items()}), weights, orders or {})


def test_a_gate_closes_above_high_and_opens_below_low():
    gates = Gates([CPU])
    assert cpus(gates, a=0.89, b=0) == {}
    assert cpus(gates, a=0.91, b=0) == {"a": "cpu is 0.91, above 0.9"}
    assert cpus(gates, a=0.61, b=0) == {"a": "cpu is 0.91, above 0.9"}
    assert cpus(gates, a=0.59, b=0) == {}
    assert cpus(gates, a=0.89, b=0) == {}


def test_where_higher_is_better_it_is_the_other_way_round():
    gates = Gates([FREE])
    close = standings(a={"free": 99}, b={"free": 500})
    assert gates.judge(close, EQUAL, {}) == {"a": "free is 99, below 100"}
    assert "a" in gates.judge(standings(a={"free": 149}), EQUAL, {})
    assert gates.judge(standings(a={"free": 151}), EQUAL, {}) == {}


def test_every_metric_that_closed_a_gate_must_open_it():
    gates = Gates([CPU, FREE])
    assert gates.judge(standings(a={"cpu": 0.95, "free": 50}), EQUAL, {}) == {"a": "cpu is 0.95, above 0.9"}
    assert gates.judge(standings(a={"cpu": 0.1, "free": 120}), EQUAL, {}) == {"a": "free is 50, below 100"}
    assert gates.judge(standings(a={"cpu": 0.1, "free": 200}), EQUAL, {}) == {}


def test_a_metric_that_shall_not_gate_does_not():
    assert cpus(Gates([ExternalMetric(name="cpu", gate=False)]), a=100) == {}


def test_a_metric_of_which_nobody_knows_anything_opens_its_gates():
    gates = Gates([CPU])
    cpus(gates, a=0.95)
    assert gates.judge(standings(a={}), EQUAL, {}) == {}
    assert cpus(gates, a=0.7) == {}  # and nothing is left of it


def test_half_is_gated_and_more_than_half_is_a_panic_where_nobody_is():
    gates = Gates([CPU])
    assert set(cpus(gates, a=0.95, b=0.95, c=0, d=0)) == {"a", "b"}
    assert not gates.panic
    assert cpus(gates, a=0.95, b=0.95, c=0.95, d=0) == {}
    assert gates.panic
    assert set(cpus(gates, a=0.7, b=0.7, c=0.1, d=0)) == {"a", "b"}  # what was closed had stayed so
    assert not gates.panic


def test_it_is_weight_that_counts_and_only_of_those_that_could_be_given_somebody():
    heavy = {NodeName("a"): 3.0, NodeName("b"): 1.0, NodeName("c"): 1.0}
    assert cpus(Gates([CPU]), heavy, a=0.95, b=0, c=0) == {}
    assert set(cpus(Gates([CPU]), heavy, a=0, b=0.95, c=0.95)) == {"b", "c"}
    drained = {NodeName("c"): 1.0, NodeName("d"): 1.0}
    assert set(cpus(Gates([CPU]), drained, a=0.95, b=0.95, c=0.95, d=0)) == {"a", "b", "c"}


def test_orders_are_obeyed_as_long_as_they_leave_any_node():
    gates = Gates([CPU])
    three = {NodeName(name): "its agent says maint" for name in "abc"}
    assert cpus(gates, orders=three, a=0, b=0, c=0, d=0) == three
    assert not gates.panic
    four = {NodeName(name): "its agent says down" for name in "abcd"}
    assert cpus(gates, orders=four, a=0, b=0, c=0, d=0) == {}
    assert gates.panic


def test_the_half_is_counted_of_the_nodes_that_orders_leave():
    orders = {NodeName(name): "its agent says drain" for name in "ab"}
    gates = Gates([CPU])
    assert cpus(gates, orders=orders, a=0, b=0, c=0.95, d=0) == {**orders, "c": "cpu is 0.95, above 0.9"}
    assert cpus(gates, orders=orders, a=0, b=0, c=0.95, d=0.95) == orders
    assert gates.panic


@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 2), min_size=6, max_size=6), st.sets(st.sampled_from("abcdef"))), max_size=8
    ),
    st.lists(st.floats(0.1, 10), min_size=6, max_size=6),
)
def test_somebody_can_always_be_given_newcomers(rounds, weights):
    gates = Gates([CPU])
    of = {NodeName(name): weight for name, weight in zip("abcdef", weights, strict=True)}
    for values, ordered in rounds:
        orders = {NodeName(name): "maint" for name in ordered}
        gated = cpus(gates, of, orders, **dict(zip("abcdef", values, strict=True)))
        assert len(gated) < len(of)
        measured = [name for name in gated if name not in orders]
        left = sum(weight for name, weight in of.items() if gated.get(name) != "maint")
        assert sum(of[name] for name in measured) <= left / 2 * (1 + 1e-9)
