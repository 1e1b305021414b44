"""Weighted round robin, smooth."""

from collections import Counter

from ringway.core.load import LoadView
from ringway.core.placement.round_robin import RoundRobin
from ringway.core.placement.weighted_round_robin import WeightedRoundRobin
from sample import equal, name, node_report, rng, view_of


def picks(policy: RoundRobin, view: LoadView, count: int, seed: int = 1) -> list[str]:
    chance = rng(seed)
    return [policy.pick(view, None, chance, 1).nodes[0].name for _ in range(count)]


def test_each_has_its_turn() -> None:
    turns = picks(RoundRobin(), view_of(equal(4)), 40)
    for cycle in range(10):
        assert sorted(turns[4 * cycle : 4 * cycle + 4]) == sorted(equal(4))


def test_a_heavy_nodes_turns_are_spread_between_the_others() -> None:
    turns = "".join(picks(WeightedRoundRobin(), view_of({"a": 5, "b": 1, "c": 1}), 70))
    assert Counter(turns) == {"a": 50, "b": 10, "c": 10}
    assert max(len(run) for run in turns.replace("b", "c").split("c")) <= 4


def test_load_does_not_matter() -> None:
    view = view_of(equal(2), loads={"n0": 1000})
    assert Counter(picks(RoundRobin(), view, 10)) == {"n0": 5, "n1": 5}


def test_gateways_begin_at_different_turns() -> None:
    view = view_of(equal(10))
    assert len({picks(RoundRobin(), view, 1, seed)[0] for seed in range(50)}) >= 8


def test_a_newcomer_gets_its_turns_and_no_flood() -> None:
    view = view_of(equal(4))
    policy = RoundRobin()
    picks(policy, view, 1002)
    view.reported(node_report(name(9)), 1.0)
    turns = picks(policy, view, 50)
    assert turns.count("n9") in (9, 10, 11)
    assert turns[:10].count("n9") <= 3


def test_survivors_keep_their_place_in_the_cycle() -> None:
    view = view_of({"a": 1, "b": 1, "c": 1})
    policy = RoundRobin()
    first = picks(policy, view, 1)[0]
    gone = next(node for node in "abc" if node != first)
    view.forgotten(node_report(gone))
    assert picks(policy, view, 1)[0] != first
