"""Moves that were sent, as notices of their targets and reports of gateways come in."""

from dataclasses import dataclass

import pytest

from ringway.core.membership import MemberReported
from ringway.member.sent_moves import MOVED_KEEP_S, SentMoves
from ringway.types import Incarnation, NodeName
from sample import gateway_report

LIFE = Incarnation("00000002")
N2 = NodeName("n2")


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
    return SentMoves(clock)


def test_places_that_a_target_says_were_taken_are_given_up(sent: SentMoves, clock: Clock) -> None:
    for _ in range(5):
        sent.count_move(N2)
    assert sent.moved == {N2: 5}
    sent.on_taken(N2, LIFE, 2)
    sent.on_taken(N2, LIFE, 3)
    assert sent.ledger.held() == {N2: 2}
    clock.now = 60.0
    sent.tick()
    assert sent.ledger.held() == {}
    assert sent.missed == 2


def test_places_at_a_node_that_is_gone_are_forgotten(sent: SentMoves) -> None:
    for _ in range(4):
        sent.count_move(N2)
    sent.on_event(MemberReported(gateway_report("g1", gone=(NodeName("n3"),))))
    assert sent.ledger.held() == {N2: 4}
    sent.on_event(MemberReported(gateway_report("g1", gone=(N2,))))
    assert sent.ledger.held() == {}
    assert sent.moved == {}
    assert sent.total == 4
    assert sent.missed == 0


def test_targets_of_long_ago_are_reported_no_more(sent: SentMoves, clock: Clock) -> None:
    sent.count_move(N2)
    clock.now = MOVED_KEEP_S - 1
    sent.count_move(NodeName("n3"))
    sent.tick()
    assert sent.moved == {N2: 1, NodeName("n3"): 1}
    clock.now = MOVED_KEEP_S
    sent.tick()
    assert sent.moved == {NodeName("n3"): 1}
