"""Least connected."""

from collections import Counter

from ringway.core.placement.least_connected import LeastConnected
from sample import equal, rng, view_of


def test_the_least_full_for_its_weight_is_chosen() -> None:
    view = view_of({"a": 1, "b": 4, "c": 1}, loads={"a": 10, "b": 30, "c": 9})
    assert LeastConnected().pick(view, None, rng(), 1).nodes[0].name == "b"


def test_weights_count_on_idle_nodes_too() -> None:
    assert LeastConnected().pick(view_of({"a": 1, "b": 3, "c": 2}), None, rng(), 1).nodes[0].name == "b"


def test_ties_are_broken_evenly_wherever_they_stand() -> None:
    view = view_of(equal(6), loads={"n0": 5, "n3": 7})
    policy, chance = LeastConnected(), rng()
    counts: Counter[str] = Counter()
    for _ in range(800):
        node = policy.pick(view, None, chance, 1).nodes[0]
        view.place(node, 0.0)
        view.unplace(node)
        counts[node.name] += 1
    assert counts == {"n1": 200, "n2": 200, "n4": 200, "n5": 200}


def test_places_held_are_seen_at_once() -> None:
    view = view_of(equal(3))
    policy, chance = LeastConnected(), rng()
    for _ in range(30):
        view.place(policy.pick(view, None, chance, 1).nodes[0], 0.0)
    assert [node.load for node in view.eligible] == [10, 10, 10]
