"""A drain by a deadline, of connections that exist in name only, on time that the test moves."""

import pytest

from ringway.member.drain import SPREAD_S, Drain
from ringway.member.holder import CloseCause
from ringway.types import NodeName, NodeState
from unit.member.fake_holder import FakeConnection, FakeHolder

START = 1000.0
COOL_DOWN_S = 1800.0


@pytest.fixture
def holder() -> FakeHolder:
    return FakeHolder()


@pytest.fixture
def drain() -> Drain:
    return Drain(COOL_DOWN_S)


def test_without_a_deadline_nobody_is_closed(holder: FakeHolder, drain: Drain) -> None:
    drain.set_state(draining=True, within_s=0.0, now=START)
    assert drain.state is NodeState.DRAINING
    assert drain.left_s(START) == 0.0
    drain.tick(START + 1e6, holder)
    assert holder.left() == 10


def test_at_the_deadline_the_rest_is_closed_within_a_second(holder: FakeHolder, drain: Drain) -> None:
    drain.set_state(draining=True, within_s=60.0, now=START)
    assert drain.left_s(START + 20.0) == 40.0
    drain.tick(START + 59.9, holder)
    assert holder.left() == 10
    left = []
    for tick in range(5):
        drain.tick(START + 60.0 + tick * 0.25, holder)
        left.append(holder.left())
    assert left == [7, 4, 2, 0, 0]
    assert set(holder.causes()) == {CloseCause.DRAINED}
    assert drain.closed == 10
    assert drain.left_s(START + 100.0) > 0, "it still drains by a deadline"
    holder.connections.append(FakeConnection())  # with a ticket from before
    drain.tick(START + 60.0 + 2 * SPREAD_S, holder)
    assert holder.left() == 0


def test_a_late_tick_makes_up_for_it(holder: FakeHolder, drain: Drain) -> None:
    drain.set_state(draining=True, within_s=60.0, now=START)
    drain.tick(START + 70.0, holder)
    assert holder.left() == 0


def test_the_newest_word_counts(holder: FakeHolder, drain: Drain) -> None:
    drain.set_state(draining=True, within_s=60.0, now=START)
    drain.set_state(draining=True, within_s=90.0, now=START + 1)
    assert drain.left_s(START + 1) == 90.0
    drain.set_state(draining=True, within_s=0.0, now=START + 2)
    assert drain.left_s(START + 2) == 0.0
    drain.set_state(draining=True, within_s=10.0, now=START + 3)
    drain.set_state(draining=False, within_s=10.0, now=START + 4)
    assert drain.state is NodeState.ACTIVE
    assert drain.left_s(START + 4) == 0.0
    drain.tick(START + 100.0, holder)
    assert holder.left() == 10


def test_nodes_are_avoided_and_nobody_cools_down_while_it_drains(drain: Drain) -> None:
    avoid = (NodeName("n2"),)
    assert drain.cool_down_s == COOL_DOWN_S
    drain.set_state(draining=True, within_s=0.0, now=START, avoid=avoid)
    assert (drain.avoid, drain.cool_down_s) == (avoid, 0.0)
    drain.set_state(draining=False, within_s=0.0, now=START, avoid=avoid)
    assert (drain.avoid, drain.cool_down_s) == ((), COOL_DOWN_S)


def test_a_node_that_stops_keeps_an_earlier_deadline(drain: Drain) -> None:
    drain.begin_stop(30.0, START)
    assert drain.stopping
    assert drain.left_s(START) == 30.0
    other = Drain(COOL_DOWN_S)
    other.set_state(draining=True, within_s=10.0, now=START)
    other.begin_stop(30.0, START + 5.0)
    assert other.left_s(START + 5.0) == 5.0
    late = Drain(COOL_DOWN_S)
    late.set_state(draining=True, within_s=90.0, now=START)
    late.begin_stop(30.0, START)
    assert late.left_s(START) == 30.0
