"""Membership: who is alive, judged by what was heard."""

from collections.abc import Sequence

from ringway.core.membership import LEASE_S, TICK_S, Event, Joined, Left, Membership, Reported
from ringway.types import NodeName
from sample import node_report

N1 = NodeName("n1")


def tick_until(membership: Membership, start: float, end: float) -> list[Event]:
    """Tick as a shell does, from `start` to `end`."""
    events: list[Event] = []
    steps = round((end - start) / TICK_S)
    for step in range(1, steps + 1):
        events += membership.tick(start + step * TICK_S)
    return events


def kinds(events: Sequence[Event]) -> list[type]:
    return [type(event) for event in events]


def test_a_member_joins_when_it_is_first_heard() -> None:
    report = node_report("n1")
    assert Membership().heard(report, 0.0) == [Joined(report)]


def test_later_reports_of_a_member_are_passed_on() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    newer = node_report("n1", 2)
    assert membership.heard(newer, 1.0) == [Reported(newer)]
    assert membership.members[N1] is newer


def test_a_report_that_was_overtaken_changes_nothing() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 5), 0.0)
    assert membership.heard(node_report("n1", 4), 1.0) == []
    assert membership.heard(node_report("n1", 5), 1.0) == []
    assert membership.members[N1].seq == 5


def test_a_silent_member_is_gone_after_the_lease_and_one_tick() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    assert tick_until(membership, 0.0, LEASE_S) == []
    events = tick_until(membership, LEASE_S, LEASE_S + TICK_S)
    assert [(event.report.name, event.cause) for event in events if isinstance(event, Left)] == [("n1", "silent")]
    assert membership.members == {}


def test_a_silent_member_may_come_back() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    tick_until(membership, 0.0, 4.0)
    assert kinds(membership.heard(node_report("n1", 2), 4.0)) == [Joined]


def test_a_withdrawal_counts_at_once() -> None:
    membership = Membership()
    report = node_report("n1")
    membership.heard(report, 0.0)
    assert membership.withdrawn(N1) == [Left(report, "withdrawn")]
    assert membership.withdrawn(N1) == []


def test_a_withdrawn_member_is_not_brought_back_by_a_late_report() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    membership.withdrawn(N1)
    assert membership.heard(node_report("n1", 2), 0.1) == []
    assert membership.members == {}


def test_a_late_withdrawal_of_a_former_life_does_not_end_its_living_successor() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1, life=2), 0.0)
    membership.withdrawn(N1)  # meant the first life
    membership.heard(node_report("n1", 2, life=2), 1.0)
    alive = node_report("n1", 3, life=2)
    assert membership.heard(alive, 2.0) == [Joined(alive)]


def test_a_restarted_member_replaces_its_former_life() -> None:
    membership = Membership()
    old = node_report("n1", 7, life=1)
    new = node_report("n1", 1, life=2)
    membership.heard(old, 0.0)
    assert membership.heard(new, 1.0) == [Left(old, "replaced"), Joined(new)]


def test_a_late_report_of_a_replaced_life_is_dropped() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 7, life=1), 0.0)
    membership.heard(node_report("n1", 1, life=2), 1.0)
    assert membership.heard(node_report("n1", 8, life=1), 1.1) == []
    assert membership.members[N1] == node_report("n1", 1, life=2)


def test_a_late_report_of_a_life_that_fell_silent_does_not_end_its_successor() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 7, life=1), 0.0)
    tick_until(membership, 0.0, 4.0)
    membership.heard(node_report("n1", 1, life=2), 4.0)
    assert membership.heard(node_report("n1", 8, life=1), 4.1) == []
    assert kinds(membership.heard(node_report("n1", 2, life=2), 5.0)) == [Reported]


def test_an_observer_that_was_stopped_does_not_take_the_others_for_dead() -> None:
    membership = Membership()
    membership.tick(0.0)
    membership.heard(node_report("n1"), 0.0)
    assert membership.tick(60.0) == []
    assert kinds(membership.heard(node_report("n1", 60), 60.1)) == [Reported]
    assert tick_until(membership, 60.0, 62.0) == []


def test_a_member_that_died_while_the_observer_was_stopped_is_gone_soon_after() -> None:
    membership = Membership()
    membership.tick(0.0)
    membership.heard(node_report("n1"), 0.0)
    membership.tick(60.0)
    assert kinds(tick_until(membership, 60.0, 60.0 + LEASE_S + TICK_S)) == [Left]


def test_an_observer_that_is_always_late_still_sees_deaths() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    events = [event for step in range(40) for event in membership.tick(step * 0.7)]
    assert kinds(events) == [Left]


def test_nobody_is_lost_while_the_engine_is_away() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    membership.engine_up(False, 0.1)
    assert tick_until(membership, 0.0, 30.0) == []
    membership.engine_up(True, 30.0)
    assert tick_until(membership, 30.0, 30.0 + LEASE_S) == []


def test_leases_begin_anew_when_the_engine_is_back() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    membership.engine_up(False, 0.1)
    tick_until(membership, 0.0, 30.0)
    membership.engine_up(True, 30.0)
    assert kinds(tick_until(membership, 30.0, 30.0 + LEASE_S + TICK_S)) == [Left]


def test_an_engine_that_stays_up_renews_no_lease() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    events: list[Event] = []
    for step in range(12):
        membership.engine_up(True, step * TICK_S)
        events += membership.tick(step * TICK_S)
    assert kinds(events) == [Left]


def test_leases_begin_anew_though_no_tick_fell_into_the_outage() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    membership.engine_up(False, 0.1)
    membership.engine_up(True, 2.5)
    assert tick_until(membership, 2.5, 2.5 + LEASE_S) == []
