"""The record of each balance."""

from dataclasses import replace

from ringway.core.balance.journal import APART_AFTER_S, DONE, LATE_S, LEADERSHIP_LOST, Journal
from ringway.core.balance.plan import Plan, Quota
from ringway.core.move_outcomes import MoveOutcomes
from ringway.types import NodeName

A, B, C = (NodeName(letter) for letter in "abc")
PLAN = Plan(
    (Quota(A, C, 50), Quota(B, C, 30)), "c holds 0 of a fair 100", fair={A: 100.0}, cause="imbalance", load={A: 150}
)


def test_an_entry_has_its_inputs_its_reasons_and_its_outcome() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "two-choices", 10.0, 1_000.0)
    journal.ordered(B, C, 30)
    journal.ordered(A, C, 50)
    journal.end_balance(DONE, 14.0)
    [entry] = journal.decisions(10, 99.0)
    assert (entry.number, entry.gateway, entry.at, entry.cause, entry.policy) == (
        1, "g1", 1_000.0, "imbalance", "two-choices",
    )  # fmt: skip
    assert entry.reason == "c holds 0 of a fair 100"
    assert [(row.donor, row.target, row.count) for row in entry.quotas] == [("a", "c", 50), ("b", "c", 30)]
    assert (entry.load, entry.fair) == ({"a": 150}, {"a": 100.0})
    assert (entry.planned, entry.ordered, entry.seconds, entry.outcome) == (80, 80, 4.0, "done")
    assert journal.balance_s == 4.0


def test_while_it_is_under_way_later_plans_begin_nothing() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.begin(replace(PLAN, quotas=PLAN.quotas[:1]), "", 11.0, 0.0)
    [entry] = journal.decisions(10, 12.5)
    assert (entry.planned, entry.seconds, entry.outcome) == (80, 2.5, "under way")


def test_what_it_needs_may_grow_while_it_is_under_way() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 60)
    journal.begin(replace(PLAN, quotas=PLAN.quotas[:1]), "", 11.0, 0.0)
    [entry] = journal.decisions(10, 12.0)
    assert (entry.planned, entry.ordered) == (110, 60)


def test_another_policy_supersedes_it() -> None:
    journal = Journal("g1")
    journal.begin(replace(PLAN, cause="keys"), "ring", 10.0, 0.0)
    journal.begin(replace(PLAN, cause="keys"), "maglev", 11.0, 0.0)
    assert [(entry.policy, entry.outcome) for entry in journal.decisions(10, 12.0)] == [
        ("maglev", "under way"),
        ("ring", "superseded: the policy is maglev now"),
    ]


def test_another_cause_supersedes_it() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.begin(replace(PLAN, cause="drain"), "", 11.0, 0.0)
    assert [(entry.cause, entry.outcome) for entry in journal.decisions(10, 12.0)] == [
        ("drain", "under way"),
        ("imbalance", "superseded: its cause is drain now"),
    ]
    assert journal.balance_s == 0.0


def test_what_has_ended_stays_so_and_the_next_is_another() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.end_balance("frozen: a deploy", 11.0)
    journal.end_balance(LEADERSHIP_LOST, 12.0)
    journal.ordered(A, C, 5)
    journal.begin(PLAN, "", 20.0, 0.0)
    assert [(entry.number, entry.outcome, entry.ordered) for entry in journal.decisions(10, 21.0)] == [
        (2, "under way", 0),
        (1, "frozen: a deploy", 0),
    ]


def test_it_is_bounded_and_gives_the_newest_first() -> None:
    journal = Journal("g1", entries_max=3)
    for number in range(5):
        journal.begin(PLAN, "", float(number), 0.0)
        journal.end_balance(DONE, number + 0.5)
    assert [entry.number for entry in journal.decisions(10, 9.0)] == [5, 4, 3]
    assert [entry.number for entry in journal.decisions(2, 9.0)] == [5, 4]
    assert journal.decisions(0, 9.0) == ()


def test_outcomes_are_counted_for_the_decision_that_ordered_the_moves() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 40)
    journal.add_outcomes({C: MoveOutcomes(handed_over=30)}, 11.0)
    journal.end_balance(DONE, 14.0)
    journal.add_outcomes({C: MoveOutcomes(handed_over=8), A: MoveOutcomes(reconnected=2)}, 15.0)
    [entry] = journal.decisions(10, 99.0)
    assert (entry.handed_over, entry.reconnected, entry.lost, entry.apart) == (38, 2, 0, 0)
    journal.begin(PLAN, "", 20.0, 0.0)
    journal.ordered(A, C, 1)
    journal.add_outcomes({C: MoveOutcomes(handed_over=1)}, 20.0)
    assert [entry.handed_over for entry in journal.decisions(10, 99.0)] == [1, 38]


def test_a_drain_that_begins_during_a_balance_counts_its_own_outcomes_only() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 5)
    journal.begin(replace(PLAN, cause="drain"), "", 12.0, 0.0)
    journal.ordered(B, A, 3)
    journal.ordered(B, C, 3)
    journal.add_outcomes({A: MoveOutcomes(handed_over=2), C: MoveOutcomes(handed_over=4)}, 13.0)
    journal.add_outcomes({A: MoveOutcomes(reconnected=1, handed_over=1), C: MoveOutcomes(handed_over=3)}, 14.0)
    drain, balance = journal.decisions(10, 14.0)
    assert (balance.handed_over, balance.reconnected) == (4, 1)  # of A, which is a target of the drain only
    assert (drain.handed_over, drain.reconnected) == (6, 0)


def test_outcomes_of_moves_that_this_balancer_did_not_order_belong_to_none() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 2)
    journal.add_outcomes({B: MoveOutcomes(handed_over=1), C: MoveOutcomes(handed_over=3)}, 11.0)
    [entry] = journal.decisions(10, 12.0)
    assert entry.handed_over == 2
    assert journal.outcomes == MoveOutcomes(handed_over=4)


def test_only_moves_with_their_sessions_are_done() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 41)
    journal.end_balance(DONE, 14.0)
    assert journal.decisions(1, 99.0)[0].outcome == "done"
    journal.add_outcomes({A: MoveOutcomes(reconnected=40, lost=1)}, 15.0)
    assert journal.decisions(1, 99.0)[0].outcome == "40 reconnected, 1 lost"


def test_a_session_that_waited_for_its_client_belongs_to_the_decision_before_its_wait() -> None:
    journal = Journal("g1")
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 1)
    journal.end_balance(DONE, 12.0)
    journal.begin(PLAN, "", 20.0, 0.0)
    journal.ordered(A, C, 1)
    journal.add_outcomes({C: MoveOutcomes(apart=1)}, 11.0 + APART_AFTER_S)
    assert [entry.apart for entry in journal.decisions(10, 99.0)] == [0, 1]
    journal.add_outcomes({C: MoveOutcomes(apart=1)}, 19.0 + APART_AFTER_S)
    assert [entry.apart for entry in journal.decisions(10, 99.0)] == [0, 1], "the second order was given later"


def test_outcomes_long_after_every_balance_belong_to_none_and_are_counted() -> None:
    journal = Journal("g1")
    journal.add_outcomes({C: MoveOutcomes(lost=1)}, 5.0)
    journal.begin(PLAN, "", 10.0, 0.0)
    journal.ordered(A, C, 5)
    journal.end_balance(DONE, 12.0)
    journal.add_outcomes({C: MoveOutcomes(lost=2)}, 12.1 + LATE_S)
    [entry] = journal.decisions(10, 99.0)
    assert entry.lost == 0
    assert journal.outcomes == MoveOutcomes(lost=3)
