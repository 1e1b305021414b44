"""The feed, given what a registry hears."""

import pytest

from ringway.core.membership import LEASE_S, TICK_S, MemberJoined, MemberLeft, MemberReported, MembershipEvent
from ringway.member.feed import Feed
from ringway.protocol.report import Report, encode_report
from ringway.types import NodeName
from sample import gateway_report, node_report


class Process:
    """A process with a feed and two listeners."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[MembershipEvent] = []
        self.late_events: list[MembershipEvent] = []
        self.ignored: list[Report] = []
        self.feed = Feed(lambda: self.now, (self.events.append,), on_ignored=self.ignored.append)
        self.feed.add_listener(self.late_events.append)

    def hear(self, report: Report) -> None:
        self.feed.on_report(report.name, encode_report(report))


@pytest.fixture
def process() -> Process:
    return Process()


def test_listeners_hear_of_members_that_join_report_and_leave(process: Process) -> None:
    first, second = node_report("n2", seq=1), node_report("n2", seq=2)
    process.hear(first)
    process.hear(second)
    process.feed.on_report(NodeName("n2"), None)
    assert process.events == [MemberJoined(first), MemberReported(second), MemberLeft(second, "withdrawn")]
    assert process.late_events == process.events
    assert process.feed.live == {}


def test_silent_members_leave(process: Process) -> None:
    report = node_report("n2")
    process.hear(report)
    while process.now < LEASE_S + 2 * TICK_S:
        process.now += TICK_S
        process.feed.tick(engine_up=True)
    assert process.events == [MemberJoined(report), MemberLeft(report, "silent")]


def test_nodes_are_found_by_name_and_counted(process: Process) -> None:
    process.hear(node_report("n2"))
    process.hear(gateway_report("g1"))
    found = process.feed.node("n2")
    assert found is not None
    assert found.name == "n2"
    assert process.feed.node("g1") is None
    assert process.feed.node("n3") is None
    assert process.feed.count_nodes() == 1


def test_a_report_that_changes_nothing_is_handed_on_as_ignored(process: Process) -> None:
    old, new = node_report("n2", life=1), node_report("n2", life=2)
    for report in (old, new, old):
        process.hear(report)
    assert process.ignored == [old]


@pytest.mark.parametrize("raw", [b"nonsense", b"", b"{}", b"\xff", encode_report(node_report("n3"))])
def test_reports_that_cannot_be_read_or_have_another_name_are_dropped(process: Process, raw: bytes) -> None:
    process.feed.on_report(NodeName("n2"), raw)
    assert process.feed.live == {}
    assert process.events == process.ignored == []
    process.hear(node_report("n2"))
    assert set(process.feed.live) == {"n2"}
