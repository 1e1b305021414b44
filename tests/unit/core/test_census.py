"""The number of nodes that are waited for."""

from ringway.core.census import FULL_S, TRUST_S, Census


def test_nodes_that_gateways_report_are_waited_for() -> None:
    census = Census()
    assert census.expected(3, 0.0) == 3
    census.on_answers("abc", 3, 0.0)
    assert census.expected(3, 1.0) == 3
    assert census.expected(2, 1.0) == 3, "a report may be late"
    assert census.expected(5, 1.0) == 5


def test_a_node_that_is_gone_is_waited_for_once() -> None:
    census = Census()
    census.on_answers("abc", 3, 0.0)
    census.on_answers("ab", 3, 1.0)
    assert census.expected(3, 1.0 + TRUST_S / 2) == 2
    assert census.expected(3, 1.0 + TRUST_S) == 3


def test_without_reports_all_are_waited_for_from_time_to_time() -> None:
    census = Census()
    assert census.expected(0, 0.0) == 0
    census.on_answers("ab", 0, 0.0)
    assert census.expected(0, TRUST_S + 1) == 2
    census.on_answers("bc", 2, TRUST_S + 1)
    assert census.expected(0, TRUST_S + 2) == 3, "a node more has answered"
    assert census.expected(0, FULL_S) == 0


def test_a_node_that_comes_is_known_from_its_answer_on() -> None:
    census = Census()
    census.on_answers("ab", 2, 0.0)
    census.on_answers("abc", 2, 1.0)
    assert census.expected(2, 2.0) == 3
