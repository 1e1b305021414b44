"""Moves that were sent, as reports of their targets come in."""

from dataclasses import dataclass

import pytest

from ringway.core.membership import MemberJoined, MemberLeft
from ringway.member.sent_moves import SentMoves
from ringway.types import Incarnation, Issuer, NodeName
from sample import node_report

OWN = Incarnation("00000001")
N2 = NodeName("n2")
GATEWAY = Issuer("0badcafe")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent(clock: Clock) -> SentMoves:
    return SentMoves(OWN, clock)


def test_places_that_a_target_says_were_taken_are_given_up(sent: SentMoves, clock: Clock) -> None:
    for _ in range(5):
        sent.count_move(N2)
    assert sent.moved == {N2: 5}
    sent.on_event(MemberJoined(node_report("n2", taken={Issuer(OWN): 3, GATEWAY: 9})))
    assert sent.ledger.held() == {N2: 2}
    clock.now = 60.0
    sent.tick()
    assert sent.ledger.held() == {}
    assert sent.missed == 2


def test_places_at_a_node_that_left_are_forgotten(sent: SentMoves) -> None:
    for _ in range(4):
        sent.count_move(N2)
    sent.on_event(MemberLeft(node_report("n2"), "withdrawn"))
    assert sent.ledger.held() == {}
    assert sent.moved == {}
    assert sent.total == 4
