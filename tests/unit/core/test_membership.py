"""Membership: the living members, by the reports received."""

from collections.abc import Sequence

import msgspec
import pytest

from ringway.core.membership import (
    LATEST_S,
    LEASE_S,
    LOSSY_FOR_S,
    LOSSY_LEASE_S,
    MASS_LEASE_S,
    TICK_S,
    MemberJoined,
    MemberLeft,
    MemberReported,
    Membership,
    MembershipEvent,
)
from ringway.types import NodeName
from sample import gateway_report, node_report

N1 = NodeName("n1")


def tick_until(membership: Membership, start: float, end: float) -> list[MembershipEvent]:
    """Tick as a shell does, from `start` to `end`."""
    events: list[MembershipEvent] = []
    steps = round((end - start) / TICK_S)
    for step in range(1, steps + 1):
        events += membership.tick(start + step * TICK_S)
    return events


def kinds(events: Sequence[MembershipEvent]) -> list[type]:
    return [type(event) for event in events]


def test_a_member_joins_when_it_is_first_heard() -> None:
    report = node_report("n1")
    assert Membership().heard(report, 0.0) == [MemberJoined(report)]


def test_later_reports_of_a_member_are_passed_on() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    newer = node_report("n1", 2)
    assert membership.heard(newer, 1.0) == [MemberReported(newer)]
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
    assert [(event.report.name, event.cause) for event in events if isinstance(event, MemberLeft)] == [("n1", "silent")]
    assert membership.members == {}


@pytest.mark.parametrize(("lost", "lease_s"), [(0, LEASE_S), (1, LEASE_S), (2, LOSSY_LEASE_S), (5, LOSSY_LEASE_S)])
def test_a_member_whose_reports_get_lost_has_more_time(lost: int, lease_s: float) -> None:
    membership = Membership()
    seq, now = 1, 0.0
    membership.heard(node_report("n1", seq), now)
    for gap in [True] * lost + [False] * 3:
        seq, now = seq + (2 if gap else 1), now + 1.0
        tick_until(membership, now - 1.0, now)
        membership.heard(node_report("n1", seq), now)
    assert kinds(tick_until(membership, now, now + lease_s)) == []
    assert kinds(tick_until(membership, now + lease_s, now + lease_s + 2 * TICK_S)) == [MemberLeft]


def test_losses_are_forgotten_after_a_while() -> None:
    membership = Membership()
    now, seq = 0.0, 1
    for gap in [True, True] + [False] * int(LOSSY_FOR_S + 1):
        membership.heard(node_report("n1", seq), now)
        tick_until(membership, now, now + 1.0)
        now, seq = now + 1.0, seq + (2 if gap else 1)
    assert kinds(tick_until(membership, now, now + LEASE_S)) == [MemberLeft]


def test_a_silent_member_may_come_back() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    tick_until(membership, 0.0, 4.0)
    assert kinds(membership.heard(node_report("n1", 2), 4.0)) == [MemberJoined]


def test_a_withdrawal_counts_at_once() -> None:
    membership = Membership()
    report = node_report("n1")
    membership.heard(report, 0.0)
    assert membership.withdrawn(N1) == [MemberLeft(report, "withdrawn")]
    assert membership.withdrawn(N1) == []


def test_a_withdrawn_member_is_not_brought_back_by_a_late_report() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1), 0.0)
    membership.withdrawn(N1)
    assert membership.heard(node_report("n1", 2), 0.1) == []
    assert membership.members == {}


class Compared(str):
    """An incarnation that counts how often any is compared with another."""

    __slots__ = ()
    __hash__ = str.__hash__
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, str(other))


def test_a_report_costs_the_same_however_many_members_have_left() -> None:
    membership = Membership()

    def heard(name: str, life: int, seq: int) -> None:
        report = node_report(name, seq, life)
        membership.heard(msgspec.structs.replace(report, incarnation=Compared(report.incarnation)), 0.0)

    for life in range(1000):
        heard("replaced", life, 1)
        heard(f"withdrawn{life}", 2000 + life, 1)
        membership.withdrawn(NodeName(f"withdrawn{life}"))
    heard("n1", 5000, 1)
    Compared.times = 0
    heard("n1", 5000, 2)
    assert Compared.times <= 10


def test_a_late_withdrawal_of_a_former_life_does_not_end_its_living_successor() -> None:
    membership = Membership()
    membership.heard(node_report("n1", 1, life=2), 0.0)
    membership.withdrawn(N1)  # meant the first life
    membership.heard(node_report("n1", 2, life=2), 1.0)
    alive = node_report("n1", 3, life=2)
    assert membership.heard(alive, 2.0) == [MemberJoined(alive)]


def test_a_restarted_member_replaces_its_former_life() -> None:
    membership = Membership()
    old = node_report("n1", 7, life=1)
    new = node_report("n1", 1, life=2)
    membership.heard(old, 0.0)
    assert membership.heard(new, 1.0) == [MemberLeft(old, "replaced"), MemberJoined(new)]


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
    assert kinds(membership.heard(node_report("n1", 2, life=2), 5.0)) == [MemberReported]


def test_an_observer_that_was_stopped_does_not_take_the_others_for_dead() -> None:
    membership = Membership()
    membership.tick(0.0)
    membership.heard(node_report("n1"), 0.0)
    assert membership.tick(60.0) == []
    assert kinds(membership.heard(node_report("n1", 60), 60.1)) == [MemberReported]
    assert tick_until(membership, 60.0, 62.0) == []


def test_a_member_that_died_while_the_observer_was_stopped_is_gone_soon_after() -> None:
    membership = Membership()
    membership.tick(0.0)
    membership.heard(node_report("n1"), 0.0)
    membership.tick(60.0)
    assert kinds(tick_until(membership, 60.0, 60.0 + LEASE_S + TICK_S)) == [MemberLeft]


def test_an_observer_that_is_always_late_still_sees_deaths() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    events = [event for step in range(40) for event in membership.tick(step * 0.7)]
    assert kinds(events) == [MemberLeft]


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
    assert kinds(tick_until(membership, 30.0, 30.0 + LEASE_S + TICK_S)) == [MemberLeft]


def test_an_engine_that_stays_up_renews_no_lease() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    events: list[MembershipEvent] = []
    for step in range(12):
        membership.engine_up(True, step * TICK_S)
        events += membership.tick(step * TICK_S)
    assert kinds(events) == [MemberLeft]


def test_leases_begin_anew_though_no_tick_fell_into_the_outage() -> None:
    membership = Membership()
    membership.heard(node_report("n1"), 0.0)
    membership.engine_up(False, 0.1)
    membership.engine_up(True, 2.5)
    assert tick_until(membership, 2.5, 2.5 + LEASE_S) == []


# -- many at once: more likely our own blindness


def heard_at_once(nodes: int, gateways: int = 0) -> Membership:
    """All report at nearly the same time, a tenth of a second apart."""
    membership = Membership()
    for index in range(nodes):
        membership.heard(node_report(f"n{index}"), index / 10)
    for index in range(gateways):
        membership.heard(gateway_report(f"g{index}"), 0.0)
    return membership


def gone(events: Sequence[MembershipEvent]) -> list[str]:
    return [event.report.name for event in events if isinstance(event, MemberLeft)]


def keep_alive(membership: Membership, names: list[str], start: float, end: float) -> list[MembershipEvent]:
    """Tick from `start` to `end`, while `names` go on reporting each second."""
    events: list[MembershipEvent] = []
    for step in range(1, round((end - start) / TICK_S) + 1):
        now = start + step * TICK_S
        if step % 4 == 0:
            for name in names:
                membership.heard(node_report(name, 1 + int(4 * now)), now)
        events += membership.tick(now)
    return events


@pytest.mark.parametrize(("nodes", "silent"), [(2, 2), (4, 2), (4, 4), (10, 5), (100, 60)])
def test_half_of_the_nodes_silent_together_are_held_and_then_given_up(nodes: int, silent: int) -> None:
    membership = heard_at_once(nodes)
    speaking = [f"n{index}" for index in range(silent, nodes)]
    last = (nodes - 1) / 10
    for name in speaking:
        membership.heard(node_report(name, 2), last)
    for index in range(silent):
        membership.heard(node_report(f"n{index}", 2), last - index / silent)  # a report apart at most
    assert keep_alive(membership, speaking, last, last + MASS_LEASE_S - 1.0) == []
    events = keep_alive(membership, speaking, last + MASS_LEASE_S - 1.0, last + MASS_LEASE_S + TICK_S)
    assert set(gone(events)) == {f"n{index}" for index in range(silent)}


@pytest.mark.parametrize(("nodes", "silent"), [(1, 1), (2, 1), (5, 2), (10, 4), (100, 49)])
def test_fewer_than_half_or_a_single_one_die_after_the_lease(nodes: int, silent: int) -> None:
    membership = Membership()
    for index in range(nodes):
        membership.heard(node_report(f"n{index}"), 0.0)
    events = keep_alive(membership, [f"n{index}" for index in range(silent, nodes)], 0.0, LEASE_S + TICK_S)
    assert set(gone(events)) == {f"n{index}" for index in range(silent)}


def test_nodes_that_are_heard_again_were_never_gone() -> None:
    membership = heard_at_once(4)
    assert tick_until(membership, 0.0, 5.0) == []
    assert kinds(membership.heard(node_report("n0", 9), 5.0)) == [MemberReported]
    assert keep_alive(membership, [f"n{index}" for index in range(4)], 5.0, 15.0) == []


def test_when_most_are_back_the_rest_have_the_time_for_one_report() -> None:
    membership = heard_at_once(4)
    tick_until(membership, 0.0, 4.0)
    back = [f"n{index}" for index in range(3)]
    for name in back:
        membership.heard(node_report(name, 2), 4.1)
    assert keep_alive(membership, back, 4.0, 4.0 + LATEST_S) == []
    assert gone(keep_alive(membership, back, 4.0 + LATEST_S, 4.0 + LATEST_S + 2 * TICK_S)) == ["n3"]


def test_gateways_are_not_held_and_do_not_count() -> None:
    membership = heard_at_once(4, gateways=6)
    for index in range(1, 4):
        membership.heard(node_report(f"n{index}", 2), 0.3)
    events = keep_alive(membership, ["n1", "n2", "n3"], 0.3, 0.3 + LEASE_S + TICK_S)
    assert set(gone(events)) == {"n0", *(f"g{index}" for index in range(6))}
    held = heard_at_once(2, gateways=1)
    assert gone(tick_until(held, 0.0, LEASE_S + TICK_S)) == ["g0"]


def test_who_says_that_it_leaves_is_not_silent() -> None:
    """Three of four are stopped in order; the fourth dies soon after, and is not held for that."""
    membership = heard_at_once(4)
    for index in range(3):
        assert kinds(membership.withdrawn(NodeName(f"n{index}"))) == [MemberLeft]
    assert gone(tick_until(membership, 0.3, 0.3 + LEASE_S + TICK_S)) == ["n3"]
