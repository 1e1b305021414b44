import pytest

from ringway.core.wheel import Wheel


def test_a_deadline_fires_at_the_beginning_of_its_second() -> None:
    wheel: Wheel[str] = Wheel(30, now=100.0)
    wheel.put("a", 8, now=100.0)
    wheel.put("b", 8, now=100.4)
    wheel.put("c", 8.7, now=100.4)
    assert wheel.tick(107.99) == []
    assert sorted(wheel.tick(108.0)) == ["a", "b"]
    assert wheel.tick(108.9) == []
    assert wheel.tick(109.0) == ["c"]
    assert len(wheel) == 0


def test_a_deadline_of_now_fires_in_the_next_second() -> None:
    wheel: Wheel[str] = Wheel(30, now=100.5)
    wheel.put("a", 0, now=100.5)
    assert wheel.tick(100.9) == []
    assert wheel.tick(101.0) == ["a"]


def test_what_was_dropped_does_not_fire() -> None:
    wheel: Wheel[str] = Wheel(30, now=0.0)
    slot = wheel.put("a", 5, now=0.0)
    wheel.put("b", 5, now=0.0)
    wheel.drop("a", slot)
    wheel.drop("a", slot)
    assert wheel.tick(5.0) == ["b"]
    wheel.drop("b", slot)


def test_it_tells_how_long_a_deadline_still_is() -> None:
    wheel: Wheel[str] = Wheel(30, now=100.0)
    for delay, now in ((8, 100.0), (1, 100.9), (30, 100.5)):
        slot = wheel.put("a", delay, now)
        due = wheel.due_in_s(slot, now)
        assert delay - 1 < due <= max(delay, 1)
        wheel.drop("a", slot)
    slot = wheel.put("a", 3, now=100.0)
    assert wheel.due_in_s(slot, 102.25) == 0.75
    assert wheel.due_in_s(slot, 104.0) == 0.0


def test_late_ticks_fire_everything_that_was_due_earliest_second_first() -> None:
    wheel: Wheel[int] = Wheel(30, now=0.0)
    for delay in (9, 3, 6, 30):
        wheel.put(delay, delay, now=0.0)
    assert wheel.tick(7.0) == [3, 6]
    assert wheel.tick(10_000.0) == [9, 30]
    wheel.put(1, 1, now=10_000.0)
    assert wheel.tick(10_001.0) == [1]


def test_the_longest_delay_fits_at_any_moment() -> None:
    wheel: Wheel[int] = Wheel(10, now=0.0)
    for tenth in range(200):
        now = tenth / 10
        assert wheel.tick(now) == [] or now >= 10
        wheel.put(tenth, 10, now)
    with pytest.raises(ValueError, match="longer than"):
        wheel.put(1, 13, now=20.0)


def test_a_wheel_whose_ticks_are_overdue_still_takes_deadlines() -> None:
    wheel: Wheel[str] = Wheel(10, now=0.0)
    wheel.put("a", 10, now=500.0)
    assert wheel.tick(500.0) == ["a"], "early rather than lost"
    wheel.put("b", 10, now=511.9)
    assert wheel.tick(511.0) == []
    assert wheel.tick(513.0) == ["b"]


def test_clocks_that_stand_still_fire_nothing_twice() -> None:
    wheel: Wheel[str] = Wheel(10, now=5.0)
    wheel.put("a", 1, now=5.0)
    assert wheel.tick(6.0) == ["a"]
    assert wheel.tick(6.0) == []
    wheel.put("a", 1, now=6.0)
    assert wheel.tick(5.0) == []
    assert wheel.tick(7.0) == ["a"]
