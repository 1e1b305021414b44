"""Random two choices."""

from collections import Counter

from ringway.core.placement.two_choices import TwoChoices
from sample import equal, rng, view_of


def test_with_two_nodes_the_less_full_one_is_chosen() -> None:
    view = view_of({"a": 1, "b": 2}, loads={"a": 10, "b": 19})
    policy, chance = TwoChoices(), rng()
    assert {policy.pick(view, None, chance, 1).nodes[0].name for _ in range(100)} == {"b"}


def test_the_fullest_node_is_never_chosen() -> None:
    view = view_of(equal(5), loads={"n2": 1})
    policy, chance = TwoChoices(), rng()
    counts = Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(2000))
    assert set(counts) == {"n0", "n1", "n3", "n4"}


def test_the_first_alternate_is_the_loser_of_the_draw() -> None:
    view = view_of(equal(4), loads={"n0": 0, "n1": 10, "n2": 20, "n3": 30})
    policy, chance = TwoChoices(), rng()
    for _ in range(200):
        first, second, *_ = policy.pick(view, None, chance, 3).nodes
        assert first.load < second.load


def test_a_node_with_nearly_all_the_weight_still_has_company() -> None:
    view = view_of({"a": 1_000_000.0, "b": 1.0, "c": 1.0})
    policy, chance = TwoChoices(), rng()
    seconds = Counter(policy.pick(view, None, chance, 2).nodes[1].name for _ in range(400))
    assert set(seconds) == {"b", "c"}
    assert all(len(set(policy.pick(view, None, chance, 3).nodes)) == 3 for _ in range(100))
