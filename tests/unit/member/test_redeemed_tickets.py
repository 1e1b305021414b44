"""Tickets that were redeemed, by issuers that come and go."""

from dataclasses import dataclass

import pytest

from ringway.core.membership import MemberLeft, MemberReported
from ringway.member.redeemed_tickets import ISSUERS_MAX, TAKEN_KEEP_S, RedeemedTickets
from ringway.types import Issuer
from sample import gateway_report


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


def report(tickets: RedeemedTickets) -> None:
    """Report the counts of this moment."""
    tickets.on_reported(dict(tickets.taken))


def test_taken_is_told_while_the_issuer_lives_and_some_time_after(tickets: RedeemedTickets, clock: Clock) -> None:
    gateway = gateway_report("g1")
    issuer = Issuer(gateway.incarnation)
    tickets.count_ticket(issuer, is_move=False)
    clock.now = 1.0
    tickets.count_ticket(issuer, is_move=False)
    assert tickets.taken == {issuer: 2}
    clock.now = TAKEN_KEEP_S - 1
    tickets.on_event(MemberReported(gateway))
    clock.now = TAKEN_KEEP_S + 10
    tickets.on_event(MemberLeft(gateway, "withdrawn"))
    tickets.tick()
    assert tickets.taken == {issuer: 2}
    clock.now = 2 * TAKEN_KEEP_S
    tickets.tick()
    assert tickets.taken == {}


def test_issuers_are_bounded(tickets: RedeemedTickets, clock: Clock) -> None:
    for number in range(ISSUERS_MAX + 10):
        clock.now = number / ISSUERS_MAX
        tickets.count_ticket(Issuer(f"{number:08x}"), is_move=False)
    assert len(tickets.taken) == ISSUERS_MAX
    assert Issuer("00000000") not in tickets.taken


def test_a_donor_is_to_be_told_until_it_knows_the_last_count(tickets: RedeemedTickets, clock: Clock) -> None:
    donor, gateway = Issuer("00000001"), Issuer("00000002")
    tickets.count_ticket(gateway, is_move=False)
    tickets.count_ticket(donor, is_move=True)
    report(tickets)
    assert tickets.untold() == {donor: 1}, "gateways read reports"
    tickets.count_ticket(donor, is_move=True)
    tickets.on_told(donor, 1)
    report(tickets)
    assert tickets.untold() == {donor: 2}, "it has grown meanwhile"
    tickets.on_told(donor, 2)
    assert tickets.untold() == {}
    tickets.count_ticket(donor, is_move=True)
    report(tickets)
    clock.now = TAKEN_KEEP_S
    tickets.tick()
    assert tickets.untold() == {}


def test_a_donor_is_told_nothing_that_gateways_have_not_heard(tickets: RedeemedTickets) -> None:
    donor = Issuer("00000001")
    tickets.count_ticket(donor, is_move=True)
    assert tickets.untold() == {}, "no report says so yet"
    report(tickets)
    tickets.count_ticket(donor, is_move=True)
    assert tickets.untold() == {donor: 1}, "the second ticket came after the report"
    tickets.on_told(donor, 1)
    assert tickets.untold() == {}
    report(tickets)
    assert tickets.untold() == {donor: 2}


def test_a_count_that_was_dropped_and_began_anew_is_told(tickets: RedeemedTickets, clock: Clock) -> None:
    donor = Issuer("00000001")
    for _ in range(3):
        tickets.count_ticket(donor, is_move=True)
    report(tickets)
    tickets.on_told(donor, 3)
    clock.now = TAKEN_KEEP_S
    tickets.tick()
    tickets.count_ticket(donor, is_move=True)
    report(tickets)
    assert tickets.untold() == {donor: 1}
