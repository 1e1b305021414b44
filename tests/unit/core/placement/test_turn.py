"""Ties."""

from collections import Counter
from math import inf

import pytest

from ringway.core.load import LoadView
from ringway.core.placement.turn import best_of
from sample import equal, rng, view_of


def served(view: LoadView, rounds: int, values: list[float]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _ in range(rounds):
        node = view.eligible[best_of(view.eligible, values)]
        view.place(node, 0.0)
        counts[node.name] += 1
    return counts


def test_the_smallest_wins() -> None:
    nodes = view_of(equal(4)).eligible
    assert best_of(nodes, [3.0, 1.0, 2.0, 1.5]) == 1
    assert best_of(nodes, [inf, inf, 2.0, inf]) == 2
    assert best_of(nodes, [-1.0, -2.0, 0.0, 5.0]) == 1


def test_equals_take_turns() -> None:
    assert served(view_of(equal(4)), 400, [1.0] * 4) == dict.fromkeys(equal(4), 100)


def test_numbers_of_different_ways_of_reckoning_are_equal() -> None:
    assert served(view_of(equal(2)), 100, [0.1 + 0.2, 0.3]) == {"n0": 50, "n1": 50}


def test_equals_take_turns_by_their_weights() -> None:
    counts = served(view_of({"a": 1.0, "b": 3.0}), 400, [1.0, 1.0])
    assert counts["b"] == pytest.approx(300, abs=4)


def test_who_was_away_has_not_saved_up_turns() -> None:
    view = view_of(equal(3))
    served(view, 300, [1.0, 1.0, 2.0])
    counts = served(view, 30, [1.0] * 3)
    assert counts["n2"] <= 11


def test_nobody_owes_more_than_a_turn_for_what_it_was_given() -> None:
    view = view_of(equal(2))
    for _ in range(500):
        view.place(view.eligible[0], 0.0)
    assert served(view, 20, [1.0, 1.0])["n0"] >= 9


def test_gateways_do_not_begin_with_the_same_node() -> None:
    firsts = set()
    for number in range(30):
        view = LoadView(type(view_of({}).issuer)(f"{number:08x}"))
        for report in (node.report for node in view_of(equal(5)).eligible):
            assert report is not None
            view.reported(report, 0.0)
        firsts.add(best_of(view.eligible, [1.0] * 5))
    assert len(firsts) >= 4


def test_a_draw_leaves_no_order() -> None:
    """Shuffled or not, equals are served alike."""
    view, chance = view_of(equal(5)), rng()
    counts: Counter[str] = Counter()
    for _ in range(500):
        nodes = chance.sample(view.eligible, 5)
        node = nodes[best_of(nodes, [1.0] * 5)]
        view.place(node, 0.0)
        counts[node.name] += 1
    assert counts == dict.fromkeys(equal(5), 100)
