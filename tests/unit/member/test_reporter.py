"""Reports of a member, over a memory engine."""

import asyncio
import time
from random import Random

import pytest

from ringway.engine.memory.engine import MemoryHub
from ringway.member.drain import Drain
from ringway.member.holder import HolderMeasures
from ringway.member.limits import Limits
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.reporter import Reporter
from ringway.member.sent_moves import SentMoves
from ringway.member.utilisation import Utilisation
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from support.members import hear_reports, report_writer
from unit.member.fake_holder import FakeConnection, FakeHolder

OWN, GATEWAY = Incarnation("00000001"), Issuer("0badcafe")
N1, N2 = NodeName("n1"), NodeName("n2")


KEYRING = Keyring(b"secret")


class Reporting:
    """A member that reports, and a second member that receives its reports."""

    def __init__(self, interval_s: float = 60.0) -> None:
        self.holder = FakeHolder()
        self.drain = Drain(1800.0)
        self.tickets = RedeemedTickets(time.monotonic)
        self.sent = SentMoves(time.monotonic)
        self.hub = MemoryHub()
        self.heard: list[Report] = []
        self.reporter: Reporter[FakeConnection] = Reporter(
            Report(name=N1, incarnation=OWN, role=Role.NODE, seq=0, url="", weight=2.0, zone="z"),
            self.hub.open(), self.holder, self.drain, self.tickets, self.sent, ProcessStats(),
            Utilisation(Limits(0, 0, 0.0), 0.0), writer=report_writer(KEYRING, N1, OWN),
            interval_s=interval_s, clock=time.monotonic, rng=Random(1),
        )  # fmt: skip

    async def listen(self) -> None:
        self.heard = await hear_reports(self.hub.open(), KEYRING)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def reporting() -> Reporting:
    return Reporting()


async def test_a_report_says_what_each_owner_knows(reporting: Reporting) -> None:
    reporting.holder.pending = 3
    reporting.holder.measured = HolderMeasures(
        connections_max=50, cooling=2, handshake_p99_s=0.25, accepted=7, messages_in=11, messages_out=13
    )
    reporting.drain.set_state(draining=True, within_s=60.0, now=time.monotonic(), avoid=(N2,))
    reporting.tickets.count_ticket(GATEWAY, is_move=False)
    reporting.sent.count_move(N2)
    reporting.reporter.set_urls(url="ws://n1", public_url="wss://public")
    report = reporting.reporter.build()
    assert (report.name, report.weight, report.zone) == (N1, 2.0, "z")
    assert (report.url, report.public_url, report.admin_url) == ("ws://n1", "wss://public", "")
    assert (report.connections, report.pending, report.connections_max, report.cooling) == (10, 3, 50, 2)
    assert (report.accepted, report.publications, report.deliveries, report.handshake_p99_s) == (7, 11, 13, 0.25)
    assert (report.state, report.drain_avoid) == (NodeState.DRAINING, (N2,))
    assert 59.0 < report.drain_left_s <= 60.0
    assert (report.taken, report.moved, report.reserved, report.missed) == ({GATEWAY: 1}, {N2: 1}, {N2: 1}, 0)
    assert report.engine_up


async def test_reports_are_numbered_and_come_at_intervals() -> None:
    reporting = Reporting(interval_s=0.25)
    await reporting.listen()
    task = asyncio.create_task(reporting.reporter.run())
    await reporting.until(3)
    task.cancel()
    assert [report.seq for report in reporting.heard[:3]] == [1, 2, 3]
    assert reporting.reporter.seq >= 3


async def test_news_are_reported_early(reporting: Reporting) -> None:
    await reporting.listen()
    reporting.reporter.poll()
    task = asyncio.create_task(reporting.reporter.run())
    await reporting.until(1)
    reporting.reporter.poll()
    await asyncio.sleep(0.3)
    assert len(reporting.heard) == 1, "there are none"
    reporting.drain.set_state(draining=True, within_s=0.0, now=0.0)
    reporting.reporter.poll()
    await reporting.until(2)
    task.cancel()
    assert reporting.heard[-1].state is NodeState.DRAINING


async def test_while_the_engine_is_away_it_goes_on(reporting: Reporting) -> None:
    reporting.hub.away = True
    await reporting.reporter.announce()
    assert not reporting.reporter.build().engine_up
    reporting.hub.away = False
    await reporting.listen()
    reporting.reporter.on_asked(NodeName(""))  # as its registry does when the engine is back
    await reporting.reporter.announce()
    await reporting.until(1)
    assert reporting.heard[-1].seq == 2
