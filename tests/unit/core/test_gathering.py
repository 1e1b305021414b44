"""The wait for answers, and the members that are waited for."""

import pytest

from ringway.core.gathering import GRACE_S_MIN, AnswerTimes, Gathering

A, B, C = b"aaaa", b"bbbb", b"cccc"
GRACE, DEADLINE = 0.1, 1.0


def gathering(*known: bytes) -> Gathering:
    return Gathering(known, GRACE, 0.0, DEADLINE)


@pytest.mark.parametrize("counted_at", [0, 1, 2])
def test_an_engine_that_counts_ends_it_with_the_last_answer(counted_at: int) -> None:
    rule = gathering(C)
    for number, node in enumerate((A, B)):
        if number == counted_at:
            rule.on_receivers(2)
            assert rule.wait_s(0.5) == 0.5
        rule.on_answer(node, 0.5)
    if counted_at == 2:
        rule.on_receivers(2)
    assert rule.wait_s(0.5) == 0.0


def test_where_nobody_is_asked_nobody_is_waited_for() -> None:
    rule = gathering(A)
    rule.on_receivers(0)
    assert rule.wait_s(0.0) == 0.0


def test_who_was_asked_and_is_silent_is_waited_for_until_the_deadline_and_never_asked_alone() -> None:
    rule = gathering(A)
    rule.on_receivers(2)
    rule.on_answer(B, 0.1)
    assert rule.wait_s(0.9) == pytest.approx(0.1)
    assert rule.overdue(0.9) == frozenset()
    assert rule.wait_s(1.0) == 0.0


def test_without_a_count_unknown_nodes_have_the_grace_after_each_answer() -> None:
    rule = gathering()
    assert rule.wait_s(0.0) == pytest.approx(GRACE)
    rule.on_answer(A, 0.05)
    assert rule.wait_s(0.1) == pytest.approx(0.05)
    assert rule.wait_s(0.16) == 0.0


def test_a_known_node_is_waited_for_until_the_deadline() -> None:
    rule = gathering(A, B)
    rule.on_answer(A, 0.0)
    assert rule.overdue(0.05) == frozenset()
    assert rule.wait_s(0.05) == pytest.approx(0.05)  # then it is asked alone
    assert rule.overdue(GRACE) == {B}
    assert rule.overdue(GRACE) == frozenset()
    assert rule.wait_s(GRACE) == pytest.approx(DEADLINE - GRACE)
    rule.on_answer(B, 0.7)
    assert rule.wait_s(0.7) == pytest.approx(GRACE)  # whoever else may answer
    assert rule.wait_s(0.8) == 0.0


def test_a_known_node_that_is_gone_is_not_waited_for() -> None:
    rule = gathering(B)
    assert rule.overdue(GRACE) == {B}
    rule.on_gone(B)
    assert rule.wait_s(GRACE) == 0.0


def test_the_deadline_ends_it() -> None:
    rule = gathering(B)
    rule.overdue(GRACE)
    rule.on_answer(A, 0.95)
    assert rule.wait_s(DEADLINE) == 0.0


def test_the_grace_follows_the_slowest_of_the_last_answers() -> None:
    times = AnswerTimes(0.5)
    assert times.grace_s() == 0.5
    times.add(A, 0.001)
    assert times.grace_s() == GRACE_S_MIN
    times.add(B, 0.1)
    assert times.grace_s() == pytest.approx(0.2)
    times.add(C, 3.0)
    assert times.grace_s() == 0.5
    times.add(C, 0.001)
    times.add(B, 0.001)
    assert times.grace_s() == GRACE_S_MIN
