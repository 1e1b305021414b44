"""Refused messages: all are counted, few are logged."""

from ringway.core.message_refusals import SENDERS_MAX, TELL_S, MessageRefusals, claimed_sender
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import Sealer, SealError, SealFault
from ringway.types import Incarnation

FORGED = SealError(SealFault.FORGED, "forged")
STALE = SealError(SealFault.STALE, "stale")


def test_a_proven_sender_is_logged_once_in_a_while_for_each_fault() -> None:
    refusals = MessageRefusals()
    assert refusals.add(Purpose.BUS, STALE, "a", 0.0)
    assert not refusals.add(Purpose.BUS, STALE, "a", TELL_S - 0.1)
    assert refusals.add(Purpose.BUS, STALE, "b", 0.0)
    assert refusals.add(Purpose.PUBLICATION, STALE, "a", 0.0)
    assert refusals.add(Purpose.BUS, STALE, "a", TELL_S)
    assert refusals.counts == {(Purpose.BUS, SealFault.STALE): 4, (Purpose.PUBLICATION, SealFault.STALE): 1}


def test_senders_that_are_not_proven_count_as_one() -> None:
    refusals = MessageRefusals()
    assert [refusals.add(Purpose.BUS, FORGED, str(number), 0.0) for number in range(1000)].count(True) == 1
    assert refusals.counts[Purpose.BUS, SealFault.FORGED] == 1000


def test_senders_that_are_remembered_are_bounded() -> None:
    refusals = MessageRefusals()
    for number in range(SENDERS_MAX + 1):
        refusals.add(Purpose.BUS, STALE, str(number), 0.0)
    assert not refusals.add(Purpose.BUS, STALE, "1", 0.0)
    assert refusals.add(Purpose.BUS, STALE, "0", 0.0), "the oldest was not forgotten"


def test_the_claimed_sender_is_that_of_the_head() -> None:
    sealed = Sealer(Keyring(b"secret"), Purpose.BUS, Incarnation("0badcafe"), lambda: 0.0).seal(1, b"", b"")
    assert claimed_sender(sealed) == "0badcafe"
    assert claimed_sender(b"") == ""
