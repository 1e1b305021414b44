"""Questions and answers about presence."""

import pytest

from ringway.protocol.command import ClientInfo
from ringway.protocol.presence import PresenceAnswer, address_answer, decode_answer, encode


@pytest.mark.parametrize(
    "answer",
    [PresenceAnswer(), PresenceAnswer(count=1, clients={"x": ClientInfo("", "x")}), PresenceAnswer(users=["u"])],
)
def test_one_answer_is_addressed_to_each_that_asks(answer: PresenceAnswer) -> None:  # P-9.7
    for to in (1, 2**63):
        addressed = decode_answer(address_answer(encode(answer), to))
        assert addressed.to == to
        addressed.to = 0
        assert addressed == answer
