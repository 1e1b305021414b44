"""Outcomes of moves, counted from reports."""

from msgspec.structs import replace

from ringway.core.move_outcomes import MoveOutcomes, OutcomeCounters, sum_outcomes
from ringway.types import Incarnation
from sample import gateway_report, node_report


def test_differences_are_counted_from_the_first_report_on() -> None:
    counters = OutcomeCounters()
    assert counters.observe([node_report("n1", handed_over=7), node_report("n2", lost=1)]) == {}
    new = counters.observe([node_report("n1", handed_over=9), node_report("n2", lost=2, apart=1, reconnected=3)])
    assert new == {"n1": MoveOutcomes(handed_over=2), "n2": MoveOutcomes(reconnected=3, lost=1, apart=1)}
    assert sum_outcomes(new.values()) == MoveOutcomes(handed_over=2, reconnected=3, lost=1, apart=1)
    assert counters.observe([node_report("n1", handed_over=9)]) == {}


def test_a_restarted_node_counts_anew() -> None:
    counters = OutcomeCounters()
    counters.observe([node_report("n1", handed_over=7)])
    restarted = replace(node_report("n1"), incarnation=Incarnation("0000beef"))
    assert counters.observe([replace(restarted, handed_over=3)]) == {}
    assert counters.observe([replace(restarted, handed_over=4)]) == {"n1": MoveOutcomes(handed_over=1)}


def test_gateways_have_no_outcomes() -> None:
    counters = OutcomeCounters()
    counters.observe([gateway_report("g1")])
    assert counters.observe([gateway_report("g1", handed_over=5)]) == {}


def test_they_are_told_in_words() -> None:
    assert str(MoveOutcomes(38, 2)) == "38 handed over, 2 reconnected"
    assert str(MoveOutcomes(handed_over=1_000)) == "1,000 handed over"
    assert MoveOutcomes(1, 0, 2, 3).shortcomings == "2 lost, 3 apart"
    assert MoveOutcomes(5).shortcomings == ""
