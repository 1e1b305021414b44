"""Least response time."""

from collections import Counter

import pytest

from ringway.core.load import LoadView
from ringway.core.placement.least_response_time import LeastResponseTime
from ringway.types import NodeName
from sample import equal, rng, view_of

N0, N1 = NodeName("n0"), NodeName("n1")


def measured(times_s: dict[str, float], loads: dict[str, int] | None = None, count: int = 3) -> LoadView:
    view = view_of(equal(count), loads=loads or {f"n{index}": 100 for index in range(count)})
    for name, seconds in times_s.items():
        view.nodes[NodeName(name)].response.observe(seconds, 0.0)
    return view


def chosen(view: LoadView, picks: int = 300) -> Counter[str]:
    policy, chance = LeastResponseTime(), rng()
    return Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(picks))


def test_the_quicker_one_is_chosen() -> None:
    assert chosen(measured({"n0": 0.01, "n1": 0.005}, count=2)) == {"n1": 300}


def test_handshakes_under_way_count_and_open_connections_do_not() -> None:
    view = measured({"n0": 0.01, "n1": 0.012}, {"n0": 110, "n1": 100}, count=2)
    assert chosen(view) == {"n0": 300}
    view.nodes[N0].response.opening = 1
    assert chosen(view) == {"n1": 300}


def test_a_heavy_node_may_have_more_handshakes_under_way() -> None:
    view = view_of({"n0": 1.0, "n1": 3.0}, loads={"n0": 100, "n1": 300})
    for node in view.eligible:
        node.response.observe(0.01, 0.0)
    view.nodes[N0].response.opening = 1
    view.nodes[N1].response.opening = 2
    assert chosen(view) == {"n1": 300}


def test_a_node_that_is_too_full_is_left_out_however_quick() -> None:
    """Idle connections make nobody slow: by time alone the quickest would hold them all."""
    view = measured({"n0": 0.001, "n1": 0.1, "n2": 0.1}, {"n0": 200, "n1": 100, "n2": 100})
    assert "n0" not in chosen(view)


def test_unless_no_other_can_be_had() -> None:
    view = measured({"n0": 0.001, "n1": 0.1, "n2": 0.1}, {"n0": 200, "n1": 100, "n2": 100})
    view.set_gates({node.name: "hot" for node in view.eligible[1:]})
    assert chosen(view) == {"n0": 300}


def test_a_node_without_a_sample_counts_as_the_median() -> None:
    view = measured({"n0": 0.02, "n1": 0.04})
    assert LeastResponseTime().value(view, view.nodes[NodeName("n2")]) == pytest.approx(0.03)
    nobody = measured({})
    assert LeastResponseTime().value(nobody, nobody.nodes[N0]) == 0.001


def test_a_failure_keeps_clients_away_for_a_while() -> None:
    view = measured({"n0": 0.01, "n1": 0.02}, count=2)
    view.nodes[N0].response.failed(1.0)
    view.wake(1.0)
    assert chosen(view) == {"n1": 300}
