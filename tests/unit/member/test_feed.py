"""The feed, given what a registry hears."""

import asyncio
import time
from collections.abc import Callable, Collection

import msgspec
import pytest

from ringway.core.held_nodes import HeldNodes
from ringway.core.membership import LEASE_S, TICK_S, MemberJoined, MemberLeft, MemberReported, MembershipEvent
from ringway.engine.memory.engine import MemoryHub
from ringway.member.feed import BACKENDS_A_TURN, Feed
from ringway.ports import Heard
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import BEAT, Report
from ringway.protocol.seal import Sealer, SealFault
from ringway.types import Incarnation, NodeName, Role
from sample import gateway_report, node_report
from support.log_capture import capture_logs
from support.members import report_reader, report_writer

KEYRING = Keyring(b"secret")
N2 = NodeName("n2")


class Process:
    """A process with a feed and two listeners; it is its registry itself, and notes the questions."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[MembershipEvent] = []
        self.late_events: list[MembershipEvent] = []
        self.ignored: list[Report] = []
        self.asked: list[NodeName] = []
        self.feed = Feed(
            report_reader(KEYRING), lambda: self.now, (self.events.append,), on_ignored=self.ignored.append
        )
        self.feed.add_listener(self.late_events.append)

    async def watch(self, roles: Collection[Role], heard: Heard) -> None:
        """Hear nothing by itself."""

    def ask_member(self, role: Role, member: NodeName) -> None:
        self.asked.append(member)

    def hear(self, report: Report) -> None:
        self.feed.add_report(report)

    def hear_raw(self, raw: bytes, name: str = "n2") -> None:
        self.feed.on_message(Role.NODE, NodeName(name), raw)

    @property
    def faults(self) -> dict[str, SealFault]:
        return {stranger.name: stranger.fault for stranger in self.feed.strangers}


@pytest.fixture
def process() -> Process:
    return Process()


def test_listeners_hear_of_members_that_join_report_and_leave(process: Process) -> None:
    said = node_report("n2")
    writer = report_writer(KEYRING, N2, said.incarnation)
    for raw in (writer.write(said, 0.0), writer.write(said, 1.0), writer.write_leave()):
        process.hear_raw(raw)
    first, second = node_report("n2", seq=1), node_report("n2", seq=2)
    assert process.events == [MemberJoined(first), MemberReported(second), MemberLeft(second, "withdrawn")]
    assert process.late_events == process.events
    assert process.feed.live == {}


def test_a_listener_without_reports_hears_who_joins_and_leaves(process: Process) -> None:
    events: list[MembershipEvent] = []
    process.feed.add_listener(events.append, reports=False)
    said = node_report("n2")
    writer = report_writer(KEYRING, N2, said.incarnation)
    for raw in (writer.write(said, 0.0), writer.write(said, 1.0), writer.write_leave()):
        process.hear_raw(raw)
    assert events == [MemberJoined(node_report("n2", seq=1)), MemberLeft(node_report("n2", seq=2), "withdrawn")]


def test_a_listener_without_reports_of_nodes_hears_those_of_gateways(process: Process) -> None:
    events: list[MembershipEvent] = []
    process.feed.add_listener(events.append, of_nodes=False)
    node, gateway = [node_report("n1", seq) for seq in (1, 2)], [gateway_report("g1", seq) for seq in (1, 2)]
    for report in [*node, *gateway]:
        process.hear(report)
    assert events == [MemberJoined(node[0]), MemberJoined(gateway[0]), MemberReported(gateway[1])]
    assert process.late_events[1] == MemberReported(node[1])


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


def test_who_leaves_does_not_take_a_successor_of_its_name_along(process: Process) -> None:
    old, new = node_report("n2", life=1), node_report("n2", life=2)
    leaving = report_writer(KEYRING, N2, old.incarnation)
    process.hear_raw(leaving.write(old, 0.0))
    process.hear(new)
    process.hear_raw(leaving.write_leave())
    assert process.feed.live == {N2: new}


def test_a_backend_whose_url_changes_and_changes_back_is_there_again() -> None:
    events: list[MembershipEvent] = []
    feed = Feed(clock=lambda: 0.0, listeners=(events.append,), held=HeldNodes())
    first, second = (Backend(name=NodeName("a"), url=f"ws://127.0.0.1:{port}") for port in (9001, 9002))
    for seq, backend in enumerate((first, second, first), start=1):
        claim = BackendClaim(backend=backend, since=float(seq))
        feed.add_report(msgspec.structs.replace(gateway_report("g1", seq=seq), backends={backend.name: claim}))
    joined = [event.report.url for event in events if isinstance(event, MemberJoined) and event.report.is_backend]
    assert joined == [first.url, second.url, first.url]
    found = feed.node("a")
    assert found is not None
    assert found.url == first.url


def test_the_gateways_that_are_alive_are_known_by_their_last_reports(process: Process) -> None:
    for report in (gateway_report("g1"), node_report("n2"), gateway_report("g2"), gateway_report("g1", seq=2)):
        process.hear(report)
    assert {name: report.seq for name, report in process.feed.gateways.items()} == {"g1": 2, "g2": 1}
    process.now += LEASE_S + 1.0
    process.feed.tick(engine_up=True)
    process.now += TICK_S
    process.feed.tick(engine_up=True)
    assert process.feed.gateways == {}


async def test_thousands_of_backends_join_and_leave_some_in_each_turn_of_the_loop() -> None:
    changes: list[str] = []
    feed = Feed(clock=lambda: 0.0, listeners=(lambda event: changes.append(event.report.name),), held=HeldNodes())
    names = [NodeName(f"b{number}") for number in range(5 * BACKENDS_A_TURN)]
    claims = {name: BackendClaim(backend=Backend(name=name, url="ws://127.0.0.1:1"), since=1.0) for name in names}
    for seq, (claimed, there) in enumerate([(claims, names), (claims, names), ({}, [])], start=1):
        changes.clear()
        feed.add_report(msgspec.structs.replace(gateway_report("g1", seq=seq), backends=claimed))
        turns = [len(changes) - 1]  # one event is the gateway's own
        while turns[-1]:
            before = len(changes)
            await asyncio.sleep(0)
            turns.append(len(changes) - before)
        assert max(turns) == BACKENDS_A_TURN
        assert sum(turns) == len(names)
        assert {name for name, report in feed.live.items() if report.is_backend} == set(there)


def wrong_secret() -> bytes:
    return report_writer(Keyring(b"another"), N2, Incarnation("00000002")).write(node_report("n2"), 0.0)


def of_another_name() -> bytes:
    return report_writer(KEYRING, NodeName("n3"), Incarnation("00000003")).write(node_report("n3"), 0.0)


def of_another_time() -> bytes:
    sealer = Sealer(KEYRING, Purpose.REPORT, Incarnation("00000002"), lambda: 1e9)
    return sealer.seal(BEAT, b"n2", b"")


def of_nonsense() -> bytes:
    sealer = Sealer(KEYRING, Purpose.REPORT, Incarnation("00000002"), time.time)
    return sealer.seal(BEAT, b"n2", b"nonsense")


FOREIGN: dict[str, tuple[Callable[[], bytes], SealFault]] = {
    "empty": (lambda: b"", SealFault.UNSEALED),
    "version 1": (
        lambda: b'{"name":"n2","incarnation":"00000002","role":"node","seq":1,"url":""}',
        SealFault.UNSEALED,
    ),
    "another secret": (wrong_secret, SealFault.FORGED),
    "another name": (of_another_name, SealFault.FORGED),
    "another time": (of_another_time, SealFault.STALE),
    "nonsense": (of_nonsense, SealFault.UNREADABLE),
}


@pytest.mark.parametrize(("seal", "fault"), FOREIGN.values(), ids=FOREIGN)
def test_messages_that_are_not_believed_make_a_stranger(
    process: Process, seal: Callable[[], bytes], fault: SealFault
) -> None:
    raw = seal()
    with capture_logs() as logs:
        process.hear_raw(raw)
        process.hear_raw(raw)
    assert process.feed.live == {}
    assert process.events == process.ignored == []
    assert process.faults["n2"] in (fault, SealFault.REPLAYED)
    assert process.feed.strangers.refused[fault] >= 1
    assert [log["member"] for log in logs if log.get("fault") == fault] == ["n2"], "told once"
    process.hear(node_report("n2"))
    assert set(process.feed.live) == {"n2"}


def test_a_recorded_message_counts_once_also_after_its_member_has_left(process: Process) -> None:
    said = node_report("n2")
    writer = report_writer(KEYRING, N2, said.incarnation)
    recorded = writer.write(said, 0.0)
    for raw in (recorded, writer.write_leave(), recorded):
        process.hear_raw(raw)
    assert process.feed.live == {}
    assert process.faults == {"n2": SealFault.REPLAYED}


async def test_a_beat_without_its_introduction_makes_the_member_introduce_itself(process: Process) -> None:
    await process.feed.follow(process)  # type: ignore[arg-type]  # a registry that hears nothing
    writer = report_writer(KEYRING, N2, node_report("n2").incarnation)
    writer.write(node_report("n2"), 0.0)
    for _ in range(3):
        process.hear_raw(writer.write(node_report("n2", connections=7), 1.0))
    assert process.asked == [N2], "asked once a second"
    assert process.feed.live == {}
    writer.on_asked(0.0)
    process.hear_raw(writer.write(node_report("n2", connections=7), 1.0))
    process.hear_raw(writer.write(node_report("n2", connections=8), 1.0))
    assert process.feed.live[N2].connections == 8


def test_old_messages_that_were_read_after_a_stop_leave_no_stranger_behind(process: Process) -> None:
    process.hear_raw(of_another_time())
    assert process.faults == {"n2": SealFault.STALE}
    report = node_report("n2", life=2)
    writer = report_writer(KEYRING, N2, report.incarnation)
    process.hear_raw(writer.write(report, 0.0))
    assert process.faults == {}
    process.hear_raw(wrong_secret())
    process.hear_raw(writer.write(report, 1.0))
    assert process.faults == {"n2": SealFault.FORGED}, "somebody else speaks under its name"


async def test_strangers_are_forgotten_when_they_are_silent(process: Process) -> None:
    process.hear_raw(b"{}", "n9")
    process.now += 61
    process.feed.tick(engine_up=True)
    assert process.faults == {}


async def test_a_feed_hears_what_is_announced_at_a_registry() -> None:
    hub = MemoryHub()
    heard = Feed(report_reader(KEYRING))
    await heard.follow(hub.open().registry, (Role.NODE,))
    writer = report_writer(KEYRING, N2, node_report("n2").incarnation)
    await hub.open().registry.announce(Role.NODE, N2, writer.write(node_report("n2"), 0.0))
    for _ in range(3):
        await asyncio.sleep(0)
    assert set(heard.live) == {"n2"}
