"""Life of a member whose connections are held in memory, over the memory engine, in fake time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from ringway.core.membership import LEASE_S, TICK_S, MemberLeft, MembershipEvent
from ringway.core.reporting import EARLY_S
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import EngineAway
from ringway.member.drain import SPREAD_S, Drain
from ringway.member.feed import Feed
from ringway.member.holder import CloseCause
from ringway.member.member import Member, MemberSettings
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sent_moves import SentMoves
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import (
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRequest,
    SetState,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.report import Report
from ringway.tasks import Tasks
from ringway.testing.clock import run_in_fake_time
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from sample import gateway_report, node_report
from support.log_capture import capture_logs
from support.members import Speaker, report_reader, report_writer
from support.memory_holder import MemoryClient, MemoryHolder

N1, N2 = NodeName("n1"), NodeName("n2")
OWN = Incarnation("00000001")
COOL_DOWN_S = 30.0


KEYRING = Keyring(b"secret")


class Running:
    """A member with its holder, and what the other members know of it."""

    def __init__(self, *, drain_within_s: float = 20.0, stop_deadline_s: float = 5.0) -> None:
        clock = asyncio.get_running_loop().time
        self.hub = MemoryHub(clock)
        self.sent = SentMoves(clock)
        self.holder = MemoryHolder(self.sent, clock)
        self.tickets = RedeemedTickets(clock)
        self.heard: list[MembershipEvent] = []
        self.others = Feed(report_reader(KEYRING), clock, (self._hear,))
        self.feed = Feed(report_reader(KEYRING), clock, (self.tickets.on_event, self.sent.on_event))
        self.drain = Drain(COOL_DOWN_S)
        self.process = ProcessStats(clock)
        settings = MemberSettings(
            report_interval_s=1.0, egress_bytes_per_s_max=0.0, drain_within_s=drain_within_s, close_deadline_s=1.0,
            stop_deadline_s=stop_deadline_s, idle_after_s=10.0, move_oldest_first=True,
        )  # fmt: skip
        self.member: Member[MemoryClient] = Member(
            Report(name=N1, incarnation=OWN, role=Role.NODE, seq=0, url="ws://n1"), settings, self.hub.open(),
            self.holder, feed=self.feed, drain=self.drain, tickets=self.tickets, sent=self.sent,
            process=self.process, writer=report_writer(KEYRING, N1, OWN), ring_secret=b"", clock=clock, rng=Random(1),
        )  # fmt: skip
        self._outside = self.hub.open()
        self._speaker = Speaker(self._outside, KEYRING)
        self._tasks = Tasks()

    async def start(self) -> None:
        await self.others.follow(self._outside.registry)
        await self.member.watch()
        await self.member.start()
        self._tasks.spawn(self._beat(), name="beat")
        await until(lambda: self.report is not None)

    async def stop(self) -> None:
        await self.member.leave()
        await self.member.stop_orders()
        await self.member.close_connections()
        await self._tasks.aclose()

    @property
    def report(self) -> Report | None:
        """The last report of the member, as others received it."""
        return self.others.node(N1)

    def accept(self, count: int) -> list[MemoryClient]:
        return [self.holder.accept() for _ in range(count)]

    async def order(self, request: NodeRequest) -> NodeAnswer:
        return decode_node_answer(await self._outside.bus.call(node_address(N1), encode(request), timeout_s=5.0))

    def keep_reporting(self, *reports: Callable[[int], Report]) -> None:
        """Let other members report each second."""

        async def report_each_second() -> None:
            for seq in range(1, 1000):
                for report in reports:
                    await self._speaker.announce(report(seq))
                await asyncio.sleep(1.0)

        self._tasks.spawn(report_each_second(), name="other members")

    def _hear(self, event: MembershipEvent) -> None:
        if event.report.name == N1:
            self.heard.append(event)

    async def _beat(self) -> None:
        while True:
            self.member.expect_tick()
            await asyncio.sleep(TICK_S)
            self.member.tick()


async def until(condition: Callable[[], object]) -> None:
    """Return when `condition` is true; fake time passes."""
    async with asyncio.timeout(100):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(**settings: float) -> AsyncIterator[Running]:
    member = Running(**settings)
    await member.start()
    try:
        yield member
    finally:
        await member.stop()


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_in_fake_time(scene())


def causes(clients: Sequence[MemoryClient]) -> set[object]:
    return {client.ended_by for client in clients}


def second_node(seq: int) -> Report:
    return node_report("n2", seq)


def gateway(seq: int) -> Report:
    return gateway_report("g1", seq, nodes=2, takers=1)


def test_it_reports_what_its_holder_holds() -> None:
    async def scene() -> None:
        async with running() as n1:
            assert n1.report is not None
            assert (n1.report.connections, n1.report.accepted, n1.report.url) == (0, 0, "ws://n1")
            n1.accept(20)
            n1.holder.accept(is_moved=True)
            began = asyncio.get_running_loop().time()
            await until(lambda: n1.report and n1.report.connections == 21)
            assert asyncio.get_running_loop().time() - began < 1.0 - EARLY_S, "so many newcomers are reported early"
            assert n1.report.cooling == 1
            assert n1.report.utilisation == pytest.approx(n1.member.utilisation, abs=1e-3)

    play(scene)


def test_it_reports_the_lag_of_its_event_loop() -> None:
    async def scene() -> None:
        member = Running()
        member.member.expect_tick()
        await asyncio.sleep(TICK_S + 0.5)
        member.member.tick()
        member.process.sample(0, 0)
        assert member.member.reporter.build().loop_lag_s == pytest.approx(0.5)

    play(scene)


def test_it_moves_connections_as_it_is_ordered() -> None:
    async def scene() -> None:
        async with running() as n1:
            n1.keep_reporting(second_node)
            oldest, *rest = n1.accept(10)
            moved_here = n1.holder.accept(is_moved=True)
            assert await n1.order(MoveOrder(fence=1, target=N2, count=4, within_s=2.0)) == NodeConsent()
            await until(lambda: n1.report and n1.report.moved == {N2: 4})
            assert n1.report.reserved == {N2: 4}, "the target is told of those who are on their way"
            assert oldest.ended_by == N2
            assert causes(rest) == {N2, None}
            await n1.order(MoveOrder(fence=1, target=N2, count=100, within_s=1.0))
            await until(lambda: n1.sent.total == 10)
            await asyncio.sleep(2.0)
            assert moved_here.ended_by is None, "it was moved here a moment ago"

    play(scene)


def test_places_to_which_nobody_came_are_given_up_in_time() -> None:
    async def scene() -> None:
        async with running() as n1:
            n1.keep_reporting(second_node)
            n1.accept(3)
            await n1.order(MoveOrder(fence=1, target=N2, count=3, within_s=0.0))
            await until(lambda: n1.report and n1.report.missed == 3)
            assert n1.report.reserved == {}

    play(scene)


def test_it_forgets_a_member_that_falls_silent() -> None:
    async def scene() -> None:
        async with running() as n1:
            n1.feed.add_report(gateway(1))
            await asyncio.sleep(LEASE_S - 2 * TICK_S)
            assert n1.feed.live
            await until(lambda: not n1.feed.live)

    play(scene)


def test_after_a_stop_of_its_process_it_gives_up_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_s = [0.0]
    since_boot = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: since_boot(clock) + stopped_s[0])

    async def scene() -> None:
        async with running() as n1:
            clients = n1.accept(8)
            await asyncio.sleep(1.0)
            assert causes(clients) == {None}
            stopped_s[0] = 60.0
            await asyncio.sleep(3 * TICK_S)
            assert causes(clients) == {CloseCause.FENCED, None}, "they must not come back in one crowd"
            await asyncio.sleep(1.0)
            assert causes(clients) == {CloseCause.FENCED}

    play(scene)


def test_it_drains_by_the_deadline_that_it_is_told() -> None:
    async def scene() -> None:
        async with running() as n1:
            clients = n1.accept(8)
            assert await n1.order(SetState(draining=True, within_s=4.0)) == NodeConsent()
            await until(lambda: n1.report and n1.report.state is NodeState.DRAINING)
            assert 3.0 < n1.report.drain_left_s <= 4.0
            await asyncio.sleep(3.0)
            assert causes(clients) == {None}
            await asyncio.sleep(1.0 + SPREAD_S)
            assert causes(clients) == {CloseCause.DRAINED}
            await n1.order(SetState(draining=False))
            await until(lambda: n1.report and n1.report.state is NodeState.ACTIVE)

    play(scene)


def test_before_its_stop_it_waits_until_its_connections_are_moved_away() -> None:
    async def scene() -> None:
        async with running(drain_within_s=60.0) as n1:
            n1.keep_reporting(second_node, gateway)
            clients = n1.accept(6)
            await until(lambda: n1.feed.live)
            draining = asyncio.ensure_future(n1.member.drain())
            await until(lambda: n1.report and n1.report.state is NodeState.DRAINING)
            await n1.order(MoveOrder(fence=1, target=N2, count=6, within_s=2.0))
            await asyncio.sleep(1.0)
            assert not draining.done()
            began = asyncio.get_running_loop().time()
            await draining
            assert asyncio.get_running_loop().time() - began < 10.0
            assert causes(clients) == {N2}

    play(scene)


def test_a_drain_of_no_seconds_is_none() -> None:
    async def scene() -> None:
        async with running(drain_within_s=0.0) as n1:
            n1.keep_reporting(second_node, gateway)
            n1.accept(1)
            began = asyncio.get_running_loop().time()
            await n1.member.drain()
            assert asyncio.get_running_loop().time() == began
            assert n1.drain.state is NodeState.ACTIVE

    play(scene)


def test_its_withdrawal_is_its_last_word() -> None:
    async def scene() -> None:
        async with running() as n1:
            assert [task.get_name() for task in n1.member.tasks] == ["reporter"]
            await n1.member.leave()
            assert n1.member.tasks == ()
            n1.accept(100)
            await asyncio.sleep(5.0)
            assert isinstance(n1.heard[-1], MemberLeft)
            assert sum(isinstance(event, MemberLeft) for event in n1.heard) == 1
            assert n1.report is None

    play(scene)


def test_it_leaves_also_where_the_engine_is_away() -> None:
    async def scene() -> None:
        n1 = Running()
        await n1.start()

        async def withdraw(role: Role, name: NodeName, message: bytes) -> None:
            raise EngineAway("the engine is away")

        n1.hub.registries[0].withdraw = withdraw  # type: ignore[method-assign]
        with capture_logs() as logs:
            await n1.stop()
        assert "the withdrawal was not sent" in [log["event"] for log in logs]

    play(scene)


def test_after_its_orders_are_stopped_nobody_is_moved() -> None:
    async def scene() -> None:
        async with running() as n1:
            n1.keep_reporting(second_node)
            n1.accept(10)
            await n1.order(MoveOrder(fence=1, target=N2, count=10, within_s=10.0))
            await until(lambda: n1.sent.total == 2)
            await n1.member.stop_orders()
            await asyncio.sleep(20.0)
            assert n1.sent.total == 2

    play(scene)


def test_in_the_end_all_connections_are_closed_and_the_silent_are_cut() -> None:
    async def scene() -> None:
        async with running(stop_deadline_s=5.0) as n1:
            answering, silent = n1.accept(2)
            await silent.ignore_close()
            began = asyncio.get_running_loop().time()
            await n1.member.close_connections()
            assert causes([answering, silent]) == {CloseCause.SHUTDOWN}
            assert n1.holder.counts() == (0, 0, 0)
            assert asyncio.get_running_loop().time() - began == pytest.approx(5.0)

    play(scene)


def test_tickets_that_it_redeemed_are_reported_and_forgotten_in_time() -> None:
    async def scene() -> None:
        async with running() as n1:
            n1.tickets.count_ticket(Issuer("aaaaaaaa"), is_move=False)
            await until(lambda: n1.report and n1.report.taken == {Issuer("aaaaaaaa"): 1})
            await until(lambda: n1.report and n1.report.taken == {})

    play(scene)
