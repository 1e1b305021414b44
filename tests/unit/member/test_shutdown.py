"""The end of a member whose connections exist in name only."""

import asyncio
import time
from random import Random

from ringway.core.shutdown import End
from ringway.engine.memory.engine import MemoryHub
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.holder import CloseCause
from ringway.member.limits import Limits
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.reporter import Reporter
from ringway.member.sent_moves import SentMoves
from ringway.member.shutdown import BATCHES, GracefulShutdown
from ringway.member.utilisation import Utilisation
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState, Role
from sample import gateway_report
from support.members import report_writer
from unit.member.fake_holder import FakeConnection, FakeHolder

OWN = Incarnation("00000001")
N1 = NodeName("n1")


class Ending:
    """A member that is told to stop."""

    def __init__(self, *others: Report) -> None:
        clock = time.monotonic
        self.holder = FakeHolder()
        self.drain = Drain(0.0)
        self.feed = Feed()
        for other in others:
            self.feed.add_report(other)
        sent = SentMoves(clock)
        reporter: Reporter[FakeConnection] = Reporter(
            Report(name=N1, incarnation=OWN, role=Role.NODE, seq=0, url=""), MemoryHub().open(), self.holder,
            self.drain, RedeemedTickets(clock), sent, ProcessStats(), Utilisation(Limits(0, 0, 0.0), 0.0),
            writer=report_writer(Keyring(b"secret"), N1, OWN), interval_s=1.0, clock=clock, rng=Random(1),
        )  # fmt: skip
        self.shutdown = GracefulShutdown(
            N1, self.holder, self.drain, self.feed, reporter, sent, close_deadline_s=0.1, clock=clock
        )


async def test_without_gateways_there_is_nothing_to_wait_for() -> None:
    ending = Ending()
    assert await ending.shutdown.drain(60.0) is End.UNLED
    assert ending.drain.state is NodeState.DRAINING
    assert ending.drain.stopping


async def test_without_other_nodes_there_is_nowhere_to_go() -> None:
    assert await Ending(gateway_report("g1", nodes=4, takers=0)).shutdown.drain(60.0) is End.NOWHERE


async def test_a_node_that_is_alone_does_not_wait_for_itself() -> None:
    assert await Ending(gateway_report("g1", nodes=1, takers=1)).shutdown.drain(60.0) is End.NOWHERE


async def test_it_waits_for_clients_that_are_on_their_way() -> None:
    ending = Ending(gateway_report("g1", nodes=2, takers=1, coming={N1: 1}))
    ending.holder.connections.clear()
    draining = asyncio.create_task(ending.shutdown.drain(60.0))
    await asyncio.sleep(2.5)
    assert not draining.done()
    ending.feed.add_report(gateway_report("g1", 2, nodes=2, takers=1))
    async with asyncio.timeout(10):
        assert await draining is End.EMPTY


async def test_it_waits_until_all_have_left() -> None:
    ending = Ending(gateway_report("g1", nodes=2, takers=1))
    draining = asyncio.create_task(ending.shutdown.drain(60.0))
    await asyncio.sleep(0.6)
    assert not draining.done()
    ending.holder.connections.clear()
    async with asyncio.timeout(10):
        assert await draining is End.EMPTY


async def test_in_the_end_connections_are_closed_in_batches_and_the_rest_is_cut() -> None:
    ending = Ending()
    ending.holder.connections = [FakeConnection() for _ in range(3 * BATCHES)]
    connections = list(ending.holder.connections)
    closing = asyncio.create_task(ending.shutdown.close_connections(2.0))
    await asyncio.sleep(0)
    assert ending.holder.left() == 3 * (BATCHES - 1)
    await closing
    assert {connection.closed_for for connection in connections} == {CloseCause.SHUTDOWN}
    assert ending.holder.connections == []
    assert ending.holder.cut_after_s is not None
    assert 0.0 < ending.holder.cut_after_s <= 1.0 + 0.1


async def test_without_time_all_are_closed_at_once() -> None:
    ending = Ending()
    await ending.shutdown.close_connections(0.0)
    assert ending.holder.cut_after_s == 0.0
