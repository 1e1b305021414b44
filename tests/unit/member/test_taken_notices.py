"""Notices of redeemed tickets, between two members over the memory engine."""

import asyncio
import time

from ringway.engine.memory.engine import MemoryHub
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sent_moves import SentMoves
from ringway.member.taken_notices import TakenNotices
from ringway.protocol.taken import issuer_address
from ringway.types import Incarnation, Issuer, NodeName

DONOR, TARGET = Incarnation("00000001"), Incarnation("00000002")
N1, N2 = NodeName("n1"), NodeName("n2")


class Node:
    """A member: the tickets that it redeems, the moves that it sends, and its notices."""

    def __init__(self, hub: MemoryHub, name: NodeName, incarnation: Incarnation) -> None:
        self.tickets = RedeemedTickets(time.monotonic)
        self.sent = SentMoves(time.monotonic)
        self.notices = TakenNotices(name, incarnation, hub.open().bus, self.tickets, self.sent)


async def settle(target: Node) -> None:
    """Report the counts, and send notices until all donors are told."""
    target.tickets.on_reported(dict(target.tickets.taken))
    async with asyncio.timeout(10):
        while target.tickets.untold():
            target.notices.tick()
            await asyncio.sleep(0.01)


async def test_a_donor_learns_how_many_of_its_clients_have_come() -> None:
    hub = MemoryHub()
    donor, target = Node(hub, N1, DONOR), Node(hub, N2, TARGET)
    await donor.notices.start()
    for _ in range(5):
        donor.sent.count_move(N2)
    for _ in range(3):
        target.tickets.count_ticket(Issuer(DONOR), is_move=True)
    await settle(target)
    assert donor.sent.ledger.held() == {N2: 2}
    target.tickets.count_ticket(Issuer(DONOR), is_move=True)
    await settle(target)
    assert donor.sent.ledger.held() == {N2: 1}
    await donor.notices.stop()


async def test_a_donor_that_does_not_answer_is_told_again() -> None:
    hub = MemoryHub()
    donor, target = Node(hub, N1, DONOR), Node(hub, N2, TARGET)
    donor.sent.count_move(N2)
    target.tickets.count_ticket(Issuer(DONOR), is_move=True)
    target.tickets.on_reported(dict(target.tickets.taken))
    target.notices.tick()
    await asyncio.sleep(0.05)
    assert target.tickets.untold() == {Issuer(DONOR): 1}
    await donor.notices.start()
    await settle(target)
    assert donor.sent.ledger.held() == {}
    await donor.notices.stop()


async def test_a_notice_that_cannot_be_read_changes_nothing() -> None:
    hub = MemoryHub()
    donor = Node(hub, N1, DONOR)
    await donor.notices.start()
    donor.sent.count_move(N2)
    for raw in (b"", b"\xff", b"\x93\xa2n2\xa800000002\xa3two"):
        assert await hub.open().bus.call(issuer_address(Issuer(DONOR)), raw, timeout_s=5.0) == b""
    assert donor.sent.ledger.held() == {N2: 1}
    await donor.notices.stop()
