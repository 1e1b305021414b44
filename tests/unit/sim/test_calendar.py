"""The calendar: who is due in which step, in what order, and never in one that is over."""

import numpy as np

from ringway.sim.calendar import Calendar


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_batches_come_in_their_step_in_the_order_of_putting() -> None:
    calendar = Calendar(0.1)
    calendar.put(ids(3, 1), 0.0, 0.2)
    calendar.put(ids(2), 0.1, 0.1)
    assert calendar.waiting == 3
    assert calendar.take_step(1).tolist() == []
    assert calendar.take_step(2).tolist() == [3, 1, 2]
    assert calendar.waiting == 0


def test_each_may_have_its_own_delay() -> None:
    calendar = Calendar(0.1)
    calendar.put(ids(5, 6, 7, 8), 1.0, np.array([0.3, 0.1, 0.3, 0.2]))
    assert [calendar.take_step(step).tolist() for step in (11, 12, 13)] == [[6], [8], [5, 7]]


def test_nobody_is_put_into_a_step_that_is_over() -> None:
    calendar = Calendar(0.1)
    calendar.take_step(10)
    calendar.put(ids(1), 0.9, 0.0)
    calendar.put(ids(2, 3), 0.9, np.array([0.0, 0.3]))
    assert calendar.take_step(11).tolist() == [1, 2]
    assert calendar.take_step(12).tolist() == [3]


def test_nobody_is_nobody() -> None:
    calendar = Calendar(0.1)
    calendar.put(ids(), 0.0, 1.0)
    assert calendar.waiting == 0
