"""Weighted round robin, and its variant that fills."""

from collections import Counter
from copy import copy

import pytest

from ringway.core.load import LoadView
from ringway.core.placement import round_robin
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.policy import Policy
from ringway.core.placement.round_robin import RoundRobin
from ringway.core.placement.weighted_round_robin import WeightedRoundRobin
from sample import equal, node_report, rng, view_of


def turns(policy: Policy, view: LoadView, count: int) -> Counter[str]:
    chance = rng()
    return Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(count))


def test_turns_follow_weights_whatever_nodes_hold() -> None:
    view = view_of({"a": 1, "b": 2.5, "c": 0.5}, loads={"a": 1000})
    assert turns(WeightedRoundRobin(), view, 400) == {"a": 100, "b": 250, "c": 50}


def test_plain_round_robin_knows_no_weights_but_zero() -> None:
    view = view_of({"a": 1, "b": 9, "c": 0})
    assert turns(RoundRobin(), view, 100) == {"a": 50, "b": 50}


def test_the_turns_of_a_node_that_takes_nobody_go_to_all_others_alike() -> None:
    view = view_of(equal(5))
    policy = RoundRobin()
    view.set_gates({view.eligible[1].name: "hot"})
    counts = turns(policy, view, 400)
    assert set(counts) == {"n0", "n2", "n3", "n4"}
    assert max(counts.values()) - min(counts.values()) <= 2


def test_and_it_gets_none_of_them_back() -> None:
    view = view_of(equal(5))
    policy = RoundRobin()
    turns(policy, view, 7)
    view.set_gates({view.eligible[1].name: "hot"})
    turns(policy, view, 400)
    view.set_gates({})
    counts = turns(policy, view, 50)
    assert 9 <= counts["n1"] <= 12


def test_a_weight_that_changed_counts_from_then_on() -> None:
    view = view_of({"a": 1, "b": 1})
    policy = WeightedRoundRobin()
    turns(policy, view, 31)
    view.reported(node_report("b", 2, weight=3.0), 1.0)
    counts = turns(policy, view, 100)
    assert abs(counts["b"] - 75) <= 1


def test_being_asked_costs_nobody_a_turn() -> None:
    """`ringway explain` asks a copy of the policy."""
    view, chance = view_of(equal(7)), rng()
    policy = RoundRobin()
    policy.pick(view, None, chance, 1)
    asked = [copy(policy).pick(view, None, chance, 1).nodes[0].name for _ in range(20)]
    assert set(asked) == {policy.pick(view, None, chance, 1).nodes[0].name}


def test_the_cycle_goes_on_where_virtual_time_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_robin, "REBASE_AT", 2.5)
    view, policy = view_of(equal(3)), RoundRobin()
    for _ in range(100):
        assert turns(policy, view, 3) == dict.fromkeys(equal(3), 1)


def test_the_cycle_goes_on_for_very_long() -> None:
    view, policy = view_of(equal(3)), RoundRobin()
    turns(policy, view, 3 * int(round_robin.REBASE_AT) - 10)
    assert turns(policy, view, 300) == dict.fromkeys(equal(3), 100)


def filled(fill: bool, picks: int) -> dict[str, int]:
    """Ten nodes with a hundred each and an empty one; 100 arrivals a second."""
    view = view_of(equal(11), loads={f"n{index}": 100 for index in range(10)})
    policy, chance = make_policy(f"weighted-round-robin:fill={str(fill).lower()}", b""), rng()
    for number in range(picks):
        view.wake(number / 100)
        view.place(policy.pick(view, None, chance, 1).nodes[0], number / 100)
    return {node.name: node.load for node in view.eligible}


def test_filling_gives_an_empty_node_three_turns_and_ends_in_balance() -> None:
    assert filled(fill=False, picks=100)["n10"] in (9, 10)
    assert 22 <= filled(fill=True, picks=100)["n10"] <= 28  # 3 of 13
    loads = filled(fill=True, picks=3000)
    assert max(loads.values()) <= 1.05 * min(loads.values())
    loads = filled(fill=False, picks=3000)
    assert max(loads.values()) >= 1.3 * min(loads.values())


def test_filling_honours_weights() -> None:
    view = view_of({"a": 1.0, "b": 4.0})
    policy, chance = make_policy("weighted-round-robin:fill=true", b""), rng()
    for number in range(5000):
        view.wake(number / 100)
        view.place(policy.pick(view, None, chance, 1).nodes[0], number / 100)
    assert abs(view.eligible[0].load - 1000) <= 10
