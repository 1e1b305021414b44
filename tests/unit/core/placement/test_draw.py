"""Draws of distinct nodes by weight."""

from collections import Counter

from ringway.core.placement.draw import Draw
from sample import equal, node_report, rng, view_of


def test_the_drawn_are_distinct_and_no_more_than_there_are() -> None:
    view, draw, chance = view_of(equal(4)), Draw(), rng()
    for count in (1, 2, 3, 4, 9):
        for _ in range(100):
            drawn = draw.draw(view, count, chance)
            assert len(drawn) == len({node.name for node in drawn}) == min(count, 4)
    assert draw.draw(view_of({}), 2, chance) == []


def test_the_barred_and_the_full_are_not_drawn_and_the_rest_keeps_its_proportions() -> None:
    """Weights 1, 2 and 3 are left of 1, 2, 3 and 94: the draw must look for them."""
    view = view_of({"a": 1.0, "b": 2.0, "c": 3.0, "d": 94.0}, loads={"c": 300})
    view.set_gates({view.nodes[type(view.eligible[0].name)("d")].name: "hot"})
    draw, chance = Draw(), rng(3)
    counts = Counter(draw.draw(view, 1, chance)[0].name for _ in range(6000))
    assert set(counts) == {"a", "b", "c"}
    assert abs(counts["a"] - 1000) < 4.5 * (6000 / 6 * 5 / 6) ** 0.5
    assert abs(counts["c"] - 3000) < 4.5 * (6000 / 4) ** 0.5
    below = Counter(draw.draw(view, 2, chance, lambda node: node.load < 300)[0].name for _ in range(600))
    assert set(below) == {"a", "b"}


def test_it_follows_the_members() -> None:
    view, draw, chance = view_of(equal(3)), Draw(), rng()
    draw.draw(view, 2, chance)
    view.reported(node_report("n9"), 1.0)
    assert {draw.draw(view, 1, chance)[0].name for _ in range(200)} == {"n0", "n1", "n2", "n9"}
