"""Outlier detection: when a node is taken out, for how long, and how many at once."""

import pytest

from ringway.core.outlier import RUN_WITHIN_S, Ejection, Outliers, OutlierSettings
from ringway.types import Incarnation, NodeName

LIFE, NEXT_LIFE = Incarnation("0000000a"), Incarnation("0000000b")
N1 = NodeName("n1")


def outliers(**settings: float) -> Outliers:
    return Outliers(OutlierSettings(**settings))  # type: ignore[arg-type]


def fail(made: Outliers, times: int, now: float = 0.0, *, eligible: int = 10, name: NodeName = N1) -> Ejection | None:
    """Return the last decision."""
    decision = None
    for _ in range(times):
        decision = made.failed(name, LIFE, eligible, now)
    return decision


def test_failures_in_a_row_take_a_node_out_and_a_success_begins_anew() -> None:
    made = outliers()
    assert fail(made, 4) is None
    made.succeeded(N1)
    assert fail(made, 4) is None
    assert made.out == []
    assert fail(made, 1) == Ejection(failures=5, seconds=30.0, times=1)
    assert made.out == [N1]
    assert fail(made, 10) is None  # handshakes that were under way


def test_each_repetition_takes_longer_up_to_the_maximum_and_a_calm_time_forgives() -> None:
    made, now, seconds = outliers(eject_s_max=70.0), 0.0, []
    for _ in range(4):
        decision = fail(made, 5, now)
        assert decision is not None
        seconds.append(decision.seconds)
        assert made.due(now + decision.seconds - 0.1) == []
        now += decision.seconds
        assert made.due(now) == [N1]
        made.returned(N1, now)
        assert made.due(now) == []
    assert seconds == [30.0, 60.0, 70.0, 70.0]
    decision = fail(made, 5, now + 71.0)
    assert decision is not None
    assert (decision.seconds, decision.times) == (30.0, 1)


@pytest.mark.parametrize(("eligible", "most"), [(1, 0), (2, 1), (3, 1), (10, 1), (29, 2), (100, 10)])
def test_a_share_of_the_nodes_is_out_at_most_one_in_any_case_and_never_the_last(eligible: int, most: int) -> None:
    made = outliers()
    out = sum(fail(made, 5, eligible=eligible, name=NodeName(f"n{index}")) is not None for index in range(eligible))
    assert out == most == len(made.out)


def test_when_there_is_room_again_the_next_failure_counts() -> None:
    made = outliers()
    assert fail(made, 5, name=NodeName("other")) is not None
    assert fail(made, 9) is None
    made.returned(NodeName("other"), 1.0)
    assert fail(made, 1, 1.0) == Ejection(failures=10, seconds=30.0, times=1)


def test_failures_that_are_far_apart_are_no_run() -> None:
    made = outliers()
    for number in range(20):
        assert fail(made, 1, number * (RUN_WITHIN_S + 1)) is None


def test_a_new_incarnation_has_failed_never() -> None:
    made = outliers()
    assert fail(made, 4) is None
    assert made.failed(N1, NEXT_LIFE, 10, 0.0) is None
    made.forget(N1)
    assert fail(made, 4) is None


def test_it_can_be_turned_off() -> None:
    assert fail(outliers(failures=0), 100) is None
