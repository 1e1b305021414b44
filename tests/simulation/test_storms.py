"""Bounds on arrivals: no herds, no flood of a new node."""

import pytest

from simulation.cluster import column, run


def herd(policy: str, **settings: float) -> float:
    """The most that came to a node within a second, in fair shares of what came in that second."""
    result = run(
        policy, scenario="flash-crowd", nodes=20, gateways=4, crowd=40_000, crowd_over_s=20, handshakes_per_s=2000,
        **settings,
    )  # fmt: skip
    arrivals = result.course.arrivals()
    busy = arrivals[arrivals.sum(axis=1) > 1000]
    assert len(busy) >= 19
    return float((busy.max(axis=1) / busy.mean(axis=1)).max())


@pytest.mark.parametrize("policy", ["two-choices", "round-robin", "rendezvous"])
@pytest.mark.parametrize("late_s", [0, 5])
def test_four_gateways_make_no_herd(policy: str, late_s: float) -> None:
    """2,000 newcomers a second on 20 nodes; nodes' reports are as old as given."""
    assert herd(policy, report_delay_s=late_s) <= 1.5


@pytest.mark.parametrize("late_s", [0, 5])
def test_looking_at_all_nodes_makes_a_small_one(late_s: float) -> None:
    """Between two reports all gateways choose the same emptiest nodes: why two choices are the default."""
    assert herd("least-connected", report_delay_s=late_s) <= 2.0


@pytest.mark.parametrize("policy", ["two-choices", "least-connected", "rendezvous"])
def test_a_new_node_is_not_flooded(policy: str) -> None:
    """Of those who come by themselves it gets at most three fair shares in a second, and each gateway's burst."""
    result = run(policy, scenario="scale-out", mean_life_s=200, handshakes_per_s=100, seconds=120)
    fair = 20_000 / 200 / 11
    assert column(result.course.newcomers, 10).max() <= min(50, 3 * fair + 2 * 5)


def test_moves_keep_to_half_of_what_a_node_can_take() -> None:
    result = run(scenario="scale-out", handshakes_per_s=100)
    assert 45 <= column(result.course.movers, 10).max() <= 51


def test_moves_leave_room_for_newcomers_who_claim_places() -> None:
    """A hundred newcomers a second claim places of clients that come as well; together they keep to the budget."""
    result = run(scenario="scale-out", mean_life_s=200, handshakes_per_s=100, seconds=60)
    both = column(result.course.newcomers, 10) + column(result.course.movers, 10)
    assert both.max() <= 80  # in the first seconds, until it shows how many claim places
    assert both[26:52].mean() <= 55


def test_a_crowd_is_shared_by_what_nodes_can_take() -> None:
    result = run(scenario="flash-crowd", weights=[1, 2, 4])
    assert result.refused == 0
    assert result.max_over_avg_after <= 1.02
