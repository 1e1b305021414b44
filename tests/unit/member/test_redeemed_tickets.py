"""Tickets that were redeemed, by issuers that come and go."""

from dataclasses import dataclass

import pytest

from ringway.core.membership import MemberJoined, MemberLeft, MemberReported
from ringway.member.redeemed_tickets import ISSUERS_MAX, TAKEN_KEEP_S, RedeemedTickets
from ringway.types import Issuer
from sample import gateway_report, node_report


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> RedeemedTickets:
    return RedeemedTickets(clock)


def test_tickets_of_nodes_are_moves_also_when_the_node_has_left(tickets: RedeemedTickets) -> None:
    node, gateway = node_report("n2"), gateway_report("g1")
    tickets.on_event(MemberJoined(node))
    tickets.on_event(MemberJoined(gateway))
    tickets.on_event(MemberLeft(node, "withdrawn"))
    assert tickets.is_node(Issuer(node.incarnation))
    assert not tickets.is_node(Issuer(gateway.incarnation))


def test_a_node_that_lives_is_known_however_many_others_have_come_and_gone(tickets: RedeemedTickets) -> None:
    living = node_report("n2", life=9999)
    tickets.on_event(MemberJoined(living))
    for life in range(2000):
        other = node_report("n3", life=life)
        tickets.on_event(MemberJoined(other))
        tickets.on_event(MemberLeft(other, "withdrawn"))
    assert tickets.is_node(Issuer(living.incarnation))
    tickets.on_event(MemberLeft(living, "withdrawn"))
    assert tickets.is_node(Issuer(living.incarnation))


def test_taken_is_told_while_the_issuer_lives_and_some_time_after(tickets: RedeemedTickets, clock: Clock) -> None:
    gateway = gateway_report("g1")
    issuer = Issuer(gateway.incarnation)
    tickets.count_ticket(issuer)
    clock.now = 1.0
    tickets.count_ticket(issuer)
    assert tickets.taken == {issuer: 2}
    clock.now = TAKEN_KEEP_S - 1
    tickets.on_event(MemberReported(gateway))
    clock.now = TAKEN_KEEP_S + 10
    tickets.tick()
    assert tickets.taken == {issuer: 2}
    clock.now = 2 * TAKEN_KEEP_S
    tickets.tick()
    assert tickets.taken == {}


def test_issuers_are_bounded(tickets: RedeemedTickets, clock: Clock) -> None:
    for number in range(ISSUERS_MAX + 10):
        clock.now = number / ISSUERS_MAX
        tickets.count_ticket(Issuer(f"{number:08x}"))
    assert len(tickets.taken) == ISSUERS_MAX
    assert Issuer("00000000") not in tickets.taken
