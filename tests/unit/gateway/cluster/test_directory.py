"""Reports as the directory reads them, and the events that its listeners get."""

from typing import cast

from ringway.core.membership import MemberJoined, MemberLeft, MemberReported, MembershipEvent
from ringway.core.report_reader import MemberLeaves
from ringway.gateway.cluster.directory import Directory
from ringway.ports import Engine, Heard
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.log_capture import capture_logs


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Away:
    """An engine that is not there: it says only whether it is up."""

    up = True

    @property
    def registry(self) -> "Away":
        return self

    async def watch(self, roles: object, heard: Heard) -> None:
        """Nobody reports."""


def directory() -> tuple[Directory, list[MembershipEvent], Clock]:
    clock = Clock()
    made = Directory(Issuer("0badcafe"), None, clock)
    events: list[MembershipEvent] = []
    made.listen(events.append)
    return made, events, clock


def report(seq: int = 1, incarnation: str = "00000001", name: str = "n1", **fields: object) -> Report:
    return Report(
        name=NodeName(name), incarnation=Incarnation(incarnation), role=Role.NODE, seq=seq, url="ws://n1:1", **fields
    )  # type: ignore[arg-type]


def hear(made: Directory, said: Report) -> None:
    made.feed.add_report(said)


def test_a_node_joins_reports_and_leaves() -> None:
    made, events, _ = directory()
    hear(made, report(1, connections=5))
    hear(made, report(2, connections=6))
    assert made.groups.nodes[NodeName("n1")].load == 6
    made.feed.remove_member(MemberLeaves(NodeName("n1"), Incarnation("00000001")))
    assert [type(event) for event in events] == [MemberJoined, MemberReported, MemberLeft]
    assert not made.groups.nodes
    assert not made.feed.live


def test_who_leaves_and_was_not_known_changes_nothing() -> None:
    made, events, _ = directory()
    made.feed.remove_member(MemberLeaves(NodeName("n1"), Incarnation("00000001")))
    assert not events


async def test_silence_is_a_leave_unless_the_engine_is_away() -> None:
    made, events, clock = directory()
    engine = Away()
    await made.follow(cast(Engine, engine))
    hear(made, report())

    def pass_time(seconds: float) -> None:
        for _ in range(int(seconds / 0.25)):
            clock.now += 0.25
            made.tick()

    engine.up = False
    assert not made.engine_up
    pass_time(30)
    assert len(events) == 1
    engine.up = True
    pass_time(2)
    assert len(events) == 1
    pass_time(1)
    assert isinstance(events[-1], MemberLeft)
    assert events[-1].cause == "silent"


def test_two_members_with_one_name_are_told_of_once() -> None:
    made, events, _ = directory()
    with capture_logs() as logs:
        hear(made, report(1, "00000001"))
        hear(made, report(1, "00000002"))
        for seq in range(2, 6):
            hear(made, report(seq, "00000001"))
    assert [type(event) for event in events] == [MemberJoined, MemberLeft, MemberJoined]
    assert made.feed.live[NodeName("n1")].incarnation == "00000002"
    assert sum(line["event"].startswith("two members use one name") for line in logs) == 1
