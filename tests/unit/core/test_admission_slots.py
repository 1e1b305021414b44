"""Slots: who asks when is told to come when."""

import pytest

from ringway.core.admission_slots import AWAY_S_MAX, BURST_S, AdmissionSlots

HORIZON_S = 30.0


def slots(per_s: float) -> AdmissionSlots:
    made = AdmissionSlots()
    made.per_s = per_s
    return made


def test_where_nobody_is_ahead_nobody_waits() -> None:
    queue = slots(10.0)
    assert [queue.take_slot(float(second), HORIZON_S) for second in range(20)] == [0.0] * 20
    assert queue.wait_s(20.0) == 0.0


def test_a_crowd_comes_as_fast_as_it_can_be_taken() -> None:
    queue = slots(100.0)
    waits = [queue.take_slot(50.0, HORIZON_S) for _ in range(1000)]
    burst = round(BURST_S * 100)
    assert waits[: burst + 1] == [0.0] * (burst + 1)
    assert waits[burst + 1] == pytest.approx(0.01)
    assert waits[-1] == pytest.approx((1000 - 1 - burst) / 100)
    assert queue.wait_s(50.0) == pytest.approx((1000 - burst) / 100)
    assert queue.wait_s(55.0) == pytest.approx((1000 - burst) / 100 - 5.0)


def test_beyond_the_horizon_there_are_none() -> None:
    queue = slots(10.0)
    given = [wait for _ in range(1000) if (wait := queue.take_slot(0.0, HORIZON_S)) is not None]
    assert len(given) == pytest.approx((HORIZON_S + BURST_S) * 10, abs=1)
    assert max(given) <= HORIZON_S
    assert queue.take_slot(1.0, HORIZON_S) is not None, "a second later there are ten more"


def test_who_is_turned_away_comes_back_in_turn_and_then_gets_a_slot() -> None:
    queue = slots(10.0)
    while queue.take_slot(0.0, HORIZON_S) is not None:
        pass
    aways = [queue.turn_away(0.0, HORIZON_S) for _ in range(300)]
    assert aways == sorted(aways)
    assert aways[0] == pytest.approx(HORIZON_S / 2, abs=0.2)
    assert aways[-1] - aways[0] == pytest.approx(29.9, abs=0.2)
    waits = [queue.take_slot(away, HORIZON_S) for away in aways]
    assert all(wait is not None and wait <= HORIZON_S / 2 + 0.5 for wait in waits)


def test_nobody_is_sent_away_for_ever() -> None:
    queue = slots(1.0)
    while queue.take_slot(0.0, HORIZON_S) is not None:
        pass
    assert max(queue.turn_away(0.0, HORIZON_S) for _ in range(10_000)) <= AWAY_S_MAX


def test_without_a_rate_nobody_waits() -> None:
    queue = slots(0.0)
    assert (queue.take_slot(0.0, HORIZON_S), queue.wait_s(0.0), queue.per_s) == (0.0, 0.0, 0.0)


def test_a_rate_that_changes_counts_for_those_to_come() -> None:
    queue = slots(10.0)
    for _ in range(100):
        queue.take_slot(0.0, HORIZON_S)
    before = queue.wait_s(0.0)
    queue.per_s = 1000.0
    assert queue.take_slot(0.0, HORIZON_S) == before
    assert queue.wait_s(0.0) == pytest.approx(before + 0.001)


def test_whoever_holds_little_does_not_wait_behind_a_crowd() -> None:
    slots = AdmissionSlots()
    slots.per_s = 10.0
    while slots.take_slot(0.0, HORIZON_S) is not None:
        pass
    waits = [slots.take_slot(0.0, 2.0, small=True) for _ in range(30)]
    assert waits[:20] == pytest.approx([number / 10 for number in range(20)])
    assert waits[-1] is None, "nor are those promised more than can be kept"
    assert slots.take_slot(1.0, 2.0, small=True) == pytest.approx(1.0)


def test_in_the_long_run_newcomers_make_no_more_of_it() -> None:
    slots = AdmissionSlots()
    slots.per_s = 10.0
    given = 0
    for tick in range(1000):
        now = tick / 10
        given += slots.take_slot(now, HORIZON_S, small=tick % 2 == 0) is not None
        given += slots.take_slot(now, HORIZON_S) is not None
    assert given <= 10 * (100 + HORIZON_S + BURST_S) + 10


def test_slots_that_nobody_used_come_back() -> None:
    slots = AdmissionSlots()
    slots.per_s = 10.0
    while slots.take_slot(0.0, HORIZON_S) is not None:
        pass
    before = slots.wait_s(0.0)
    slots.give_back(0.0, 20)
    assert slots.wait_s(0.0) == pytest.approx(before - 2.0)
    slots.give_back(0.0, 1e9)
    assert slots.wait_s(0.0) == 0.0
    given = 0
    while slots.take_slot(0.0, 0.0) is not None:
        given += 1
    assert given <= BURST_S * 10 + 1, "no more at once than ever"
