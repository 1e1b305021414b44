"""The decision of a node that was silent to give up its clients."""

import pytest

from ringway.core.fence import Fence
from ringway.core.membership import LATEST_S, LEASE_S, TICK_S


class Node:
    """Beats and reports as a node does; the test lets time pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cpu_s = 5.0
        self.queued_s = 1.0
        self.reports = 1
        self.fence = Fence(self.now, self.cpu_s, self.queued_s)
        self.run(2.0)

    def run(self, seconds: float) -> None:
        """Run as usual, reporting each second."""
        for beat in range(round(seconds / TICK_S)):
            self.reports += beat % 4 == 0
            assert not self.gap(TICK_S, used_s=0.01)

    def gap(self, seconds: float, *, used_s: float = 0.0, queued_s: float = 0.0, reported: bool = False) -> bool:
        """The next beat comes after `seconds`."""
        self.now += seconds
        self.cpu_s += used_s
        self.queued_s += queued_s
        self.reports += reported
        return self.fence.beat(self.now, self.cpu_s, self.queued_s, self.reports)


def test_one_that_was_stopped_for_longer_than_its_lease_is_fenced_once() -> None:
    node = Node()
    assert node.gap(LEASE_S + 0.5)
    node.reports += 1
    assert not node.gap(TICK_S)
    node.run(5.0)


def test_what_others_wait_for_is_the_report_not_the_beat() -> None:
    """It was stopped a second after its last report: others have waited for that second as well."""
    node = Node()
    for _ in range(3):
        node.gap(TICK_S)
    assert node.gap(LEASE_S - 0.5)


def test_the_silence_begins_with_the_report_not_with_the_beat_after_it() -> None:
    """It reported just after a beat: by the next one a quarter of a second of the others' patience is over."""
    node = Node()
    node.gap(TICK_S, reported=True)
    assert node.gap(LEASE_S - 0.2)


def test_a_short_stop_is_no_matter() -> None:
    node = Node()
    assert not node.gap(1.0)
    node.run(3.0)


def test_a_report_at_the_moment_in_which_it_goes_on_ends_no_silence() -> None:
    assert Node().gap(LEASE_S + 0.5, reported=True)


@pytest.mark.parametrize(("used_s", "queued_s"), [(9.5, 0.0), (0.1, 9.5), (4.0, 5.0)])
def test_a_busy_machine_is_no_stop(used_s: float, queued_s: float) -> None:
    node = Node()
    assert not node.gap(10.0, used_s=used_s, queued_s=queued_s)
    node.run(3.0)


def test_a_stop_on_a_busy_machine_is_one() -> None:
    assert Node().gap(10.0, used_s=1.0, queued_s=4.0)


def test_while_reports_cannot_be_sent_a_late_beat_is_no_stop() -> None:
    node = Node()
    for _ in range(100):
        assert not node.gap(TICK_S + 0.05)
    assert not node.gap(LEASE_S - LATEST_S)
