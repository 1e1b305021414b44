"""The order of rows, and the partitions that are next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.outbox import PAUSE_FIRST_S, PAUSE_MAX_S, OutboxRow, ReadyPartitions, plan_turns, retry_pause_s


def rows_of(channels):
    return [(OutboxRow(number, "publish", b"", str(number)), channel) for number, channel in enumerate(channels)]


def ids_of(turns):
    return [[[row.id for row in lane] for lane in turn] for turn in turns]


@pytest.mark.parametrize(
    ("channels", "turns"),
    [
        ([], []),
        (["a"], [[[0]]]),
        (["a", "b", "a"], [[[0, 2], [1]]]),
        (["a", "", "a", "b"], [[[0]], [[1]], [[2], [3]]]),
        (["", ""], [[[0]], [[1]]]),
        (["a", "a", "a", "b"], [[[0, 1, 2]], [[3]]]),
    ],
    ids=["none", "one", "two channels", "another method between", "other methods", "at most three together"],
)
def test_publications_of_one_channel_follow_each_other_and_all_else_runs_alone(channels, turns):
    assert ids_of(plan_turns(rows_of(channels), 3)) == turns


@given(st.lists(st.sampled_from(["", "a", "b", "c"])), st.integers(1, 5))
def test_every_row_has_one_place_after_those_that_it_must_follow(channels, together_max):
    turns = plan_turns(rows_of(channels), together_max)
    place = {row.id: (at, lane.index(row)) for at, turn in enumerate(turns) for lane in turn for row in lane}
    assert sorted(place) == list(range(len(channels)))
    assert all(sum(map(len, turn)) <= together_max for turn in turns)
    for later, channel in enumerate(channels):
        for earlier in range(later):
            if channel == channels[earlier]:
                assert place[earlier] < place[later]
            if not channel or not channels[earlier]:
                assert place[earlier][0] < place[later][0]


def test_the_pause_doubles_up_to_a_bound():
    assert retry_pause_s(0, 1.0) == PAUSE_FIRST_S
    assert retry_pause_s(1, 1.0) == 2 * PAUSE_FIRST_S
    assert retry_pause_s(10_000, 1.0) == PAUSE_MAX_S
    assert retry_pause_s(10_000, 0.0) == PAUSE_MAX_S / 2


def test_a_partition_that_is_found_again_and_again_is_worked_on_once():
    ready = ReadyPartitions()
    for partition in (2, 1, 2):
        ready.add(partition, 0.0)
    assert [ready.take_next() for _ in range(3)] == [2, 1, None]


def test_a_partition_that_is_found_while_it_is_worked_on_is_ready_afterwards():
    ready = ReadyPartitions()
    ready.add(1, 0.0)
    assert ready.take_next() == 1
    ready.add(1, 0.0)
    assert ready.take_next() is None
    ready.finish(1, 0.0)
    assert ready.take_next() == 1
    ready.finish(1, 0.0)
    assert ready.take_next() is None


def test_a_partition_with_more_rows_comes_after_the_others():
    ready = ReadyPartitions()
    ready.add(1, 0.0)
    ready.add(2, 0.0)
    assert ready.take_next() == 1
    ready.finish(1, 0.0, has_more=True)
    assert [ready.take_next() for _ in range(3)] == [2, 1, None]


def test_a_partition_that_is_held_back_is_ready_again_after_its_time():
    ready = ReadyPartitions()
    ready.add(1, 0.0)
    ready.take_next()
    ready.add(1, 0.0)
    ready.finish(1, 0.0, hold_s=2.0)
    ready.add(1, 1.9)
    assert ready.take_next() is None
    ready.add(1, 2.0)
    assert ready.take_next() == 1
