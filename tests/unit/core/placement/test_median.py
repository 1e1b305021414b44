"""The usual value among the nodes."""

from ringway.core.load import NodeLoad
from ringway.core.placement.median import PERIOD_S, Median
from sample import equal, node_report, view_of


def load(node: NodeLoad) -> float | None:
    return node.load or None


def test_it_is_the_median_of_those_that_have_the_number() -> None:
    assert Median(load).of(view_of(equal(4), loads={"n0": 1, "n1": 5, "n2": 100})) == 5
    assert Median(load).of(view_of(equal(4), loads={"n0": 1, "n1": 5, "n2": 7, "n3": 100})) == 6
    assert Median(load).of(view_of(equal(2))) == 0


def test_it_is_computed_now_and_then_and_when_members_change() -> None:
    view = view_of(equal(1), loads={"n0": 4})
    median = Median(load)
    assert median.of(view) == 4
    view.reported(node_report("n0", 2, connections=8), 0.1)
    view.wake(0.1)
    assert median.of(view) == 4
    view.wake(PERIOD_S)
    assert median.of(view) == 8
    view.reported(node_report("n1", connections=10), 0.6)
    assert median.of(view) == 9
