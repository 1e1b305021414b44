"""Answers to knocks: who is answered, and how often."""

from collections import Counter

import pytest

from ringway.errors import UpgradeError
from ringway.member.knock import KNOCKS_BURST, KNOCKS_PER_S, KnockAnswers
from ringway.protocol.keyring import Keyring
from ringway.protocol.knock import KNOCK, KnockProver
from ringway.types import Incarnation, NodeName

NONCE = bytes(16)


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self.gateway = KnockProver(Keyring(b"secret"))
        self.answers = KnockAnswers(
            KnockProver(Keyring(b"secret")), NodeName("n1"), Incarnation("0000000a"), self.counts, lambda: self.now
        )

    def knock(self, value: str) -> str | None:
        return self.answers.answer([("host", "x"), (KNOCK, value)])


def test_a_proven_knock_is_answered_and_counted() -> None:
    bench = Bench()
    value = bench.knock(bench.gateway.ask(NONCE))
    assert value is not None
    assert bench.gateway.read_answer(value, NONCE) == ("n1", "0000000a", True)
    assert bench.counts == {"answered": 1}


def test_other_requests_are_no_knocks_and_strangers_are_not_answered() -> None:
    bench = Bench()
    assert bench.answers.answer([("host", "x")]) is None
    assert bench.counts == {}
    assert bench.knock("nonsense") is None
    assert bench.knock(KnockProver(Keyring(b"a guess")).ask(NONCE)) is None
    assert bench.counts == {"unproven": 2}


def test_no_more_are_answered_than_gateways_need() -> None:
    bench = Bench()
    asked = bench.gateway.ask(NONCE)
    for _ in range(int(KNOCKS_BURST)):
        assert bench.knock(asked)
    with pytest.raises(UpgradeError) as refused:
        bench.knock(asked)
    assert refused.value.status == 503
    bench.now += 1.0
    for _ in range(int(KNOCKS_PER_S)):
        assert bench.knock(asked)
    with pytest.raises(UpgradeError):
        bench.knock(asked)
    assert bench.counts["excess"] == 2
