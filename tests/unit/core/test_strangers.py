"""Strangers: what is listed and logged of those who are not believed."""

import pytest

from ringway.core.strangers import STRANGERS_MAX, TOLD_MAX, TOLD_S, Strangers
from ringway.protocol.seal import SealFault
from ringway.types import NodeName


def test_a_stranger_is_told_once_for_each_fault() -> None:
    strangers = Strangers()
    faults = [SealFault.FORGED, SealFault.FORGED, SealFault.STALE, SealFault.FORGED, SealFault.STALE]
    assert [strangers.on_refused(NodeName("n1"), fault, "", 0.0) for fault in faults] == [
        True, False, True, False, False,
    ]  # fmt: skip


def test_invented_names_fill_neither_the_table_nor_the_log() -> None:
    strangers = Strangers()
    names = [NodeName(f"fake-{number}") for number in range(STRANGERS_MAX + 50)]
    told = sum(strangers.on_refused(name, SealFault.FORGED, "", 1.0) for _ in range(10) for name in names)
    assert told == TOLD_MAX
    assert len(strangers) == STRANGERS_MAX


def test_a_stranger_that_was_not_told_for_the_bound_is_told_later() -> None:
    strangers = Strangers()
    for number in range(TOLD_MAX):
        assert strangers.on_refused(NodeName(f"fake-{number}"), SealFault.FORGED, "", 1.0)
    assert not strangers.on_refused(NodeName("n1"), SealFault.FORGED, "", 1.0 + TOLD_S / 2)
    assert strangers.on_refused(NodeName("n1"), SealFault.FORGED, "", 1.0 + TOLD_S)


@pytest.mark.parametrize(
    ("fault", "stays"),
    [(SealFault.STALE, False), (SealFault.VERSION, False), (SealFault.FORGED, True), (SealFault.UNSEALED, True)],
)
def test_a_member_that_is_believed_now_is_no_stranger_of_another_age_or_version(fault: SealFault, stays: bool) -> None:
    strangers = Strangers()
    strangers.on_refused(NodeName("n1"), fault, "", 1.0)
    strangers.on_believed(NodeName("n1"))
    assert (NodeName("n1") in strangers) is stays
