"""Lines that say the same are summed up: what strangers can bring about at will cannot fill a disk."""

from ringway.app.repeats import KINDS_MAX, Repeats


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_of_a_second_are_written_and_the_others_told_by_one_line():
    clock = Clock()
    woken = []
    repeats = Repeats(5, clock, lambda: woken.append(clock.now))
    refused = {"event": "a handshake was refused", "level": "info"}
    written = sum(repeats.admits({**refused, "client": str(number)}) for number in range(3450))
    assert (written, woken, repeats.pending) == (5, [100.0], True)
    assert repeats.summaries() == [], "the second is not over"
    clock.now += 1.0
    (summary,) = repeats.summaries()
    assert summary == {**refused, "client": "3449", "repeated": 3445}
    assert (repeats.summaries(), repeats.pending) == ([], False)
    assert repeats.admits(refused), "a new second begins"


def test_other_events_and_other_members_are_told_apart():
    repeats = Repeats(1, Clock())
    assert repeats.admits({"event": "member joined", "member": "node-1"})
    assert repeats.admits({"event": "member joined", "member": "node-2"})
    assert repeats.admits({"event": "member left", "member": "node-1"})
    assert not repeats.admits({"event": "member left", "member": "node-1"})


def test_nothing_is_summed_up_where_little_is_said():
    clock = Clock()
    repeats = Repeats(2, clock)
    for _ in range(10):
        assert repeats.admits({"event": "rare"})
        assert repeats.admits({"event": "rare"})
        clock.now += 1.0
    assert not repeats.pending


def test_what_is_left_at_the_end_is_told_at_once():
    repeats = Repeats(1, Clock())
    repeats.admits({"event": "x"})
    repeats.admits({"event": "x", "exc_info": object()})
    assert repeats.summaries(at_once=True) == [{"event": "x", "repeated": 1}]


def test_texts_that_differ_each_time_are_one_kind_where_they_come_from_one_place():
    repeats = Repeats(5, Clock())
    told = [{"event": f"Exception in callback <Handle at {number:#x}>"} for number in range(100)]
    assert sum(repeats.admits(event, "asyncio/base_events.py:1785") for event in told) == 5


def test_events_without_number_are_bounded_as_well():
    repeats = Repeats(1, Clock())
    assert sum(repeats.admits({"event": f"event {number}"}) for number in range(10 * KINDS_MAX)) == KINDS_MAX + 1


def test_kinds_are_bounded():
    repeats = Repeats(1, Clock())
    admitted = sum(repeats.admits({"event": "a report", "member": str(number)}) for number in range(10 * KINDS_MAX))
    assert admitted == KINDS_MAX + 1
    assert len(repeats.summaries(at_once=True)) == 1
