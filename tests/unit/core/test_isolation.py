"""Isolation: when a member is not ready, because it believes none of the others."""

import pytest

from ringway.core.isolation import why_command_believes_nobody, why_isolated, why_not_to_lead
from ringway.core.strangers import PRESENT_S, Strangers
from ringway.protocol.seal import SealFault
from ringway.types import NodeName

OWN, OTHER = NodeName("node-1"), NodeName("gateway-1")


def heard(*faults: SealFault) -> Strangers:
    strangers = Strangers()
    for number, fault in enumerate(faults):
        strangers.on_refused(NodeName(f"stranger-{number}"), fault, "", 100.0)
    return strangers


def test_a_member_without_others_is_ready() -> None:
    assert why_isolated(OWN, {}, Strangers(), 100.0) == ""
    assert why_isolated(OWN, {OWN: None}, Strangers(), 100.0) == ""


def test_a_member_that_believes_none_of_the_others_says_why() -> None:
    strangers = heard(SealFault.FORGED, SealFault.FORGED, SealFault.VERSION)
    assert why_isolated(OWN, {OWN: None}, strangers, 101.0) == (
        "it believes none of the others: it hears 2 members of this cluster with another secret, 1 member of this "
        "cluster of another wire version; give all members the same secret, run versions that go together "
        "(docs/howto/upgrade.md)"
    )


def test_one_believed_member_is_enough() -> None:
    assert why_isolated(OWN, {OTHER: None}, heard(SealFault.FORGED), 101.0) == ""


def test_a_stranger_that_is_silent_isolates_nobody() -> None:
    strangers = heard(SealFault.STALE)
    assert why_isolated(OWN, {}, strangers, 100.0 + PRESENT_S - 0.1)
    assert why_isolated(OWN, {}, strangers, 100.0 + PRESENT_S) == ""


@pytest.mark.parametrize("fault", [SealFault.REPLAYED, SealFault.UNREADABLE])
def test_messages_that_were_proven_once_isolate_nobody(fault: SealFault) -> None:
    assert why_isolated(OWN, {}, heard(fault), 100.0) == ""


def test_all_other_faults_isolate() -> None:
    for fault in set(SealFault) - {SealFault.REPLAYED, SealFault.UNREADABLE}:
        assert why_isolated(OWN, {}, heard(fault), 100.0), fault


def test_a_command_that_believes_nobody_names_the_cause_and_its_own_remedy() -> None:
    strangers = heard(SealFault.FORGED, SealFault.FORGED)
    assert why_command_believes_nobody({}, strangers, 101.0) == (
        "this command believes no member: it hears 2 members of this cluster with another secret; give it the secret "
        "of the cluster (--secret-file), or the right --cluster"
    )
    assert why_command_believes_nobody({OTHER: None}, strangers, 101.0) == ""
    assert why_command_believes_nobody({}, Strangers(), 101.0) == ""
    for fault in set(SealFault) - {SealFault.REPLAYED, SealFault.UNREADABLE}:
        assert "; " in why_command_believes_nobody({}, heard(fault), 100.0), fault


def test_a_gateway_that_is_isolated_does_not_lead() -> None:
    assert "another secret" in why_not_to_lead(OWN, {OWN: None}, heard(SealFault.FORGED), 101.0)
    assert why_not_to_lead(OWN, {OWN: None}, Strangers(), 101.0) == ""


def test_of_two_wire_versions_the_greater_part_leads_and_forged_messages_decide_nothing() -> None:
    later = heard(*[SealFault.VERSION] * 3)
    assert "it believes 2 members, and 3 members" in why_not_to_lead(OWN, {OWN: None, OTHER: None}, later, 101.0)
    assert why_not_to_lead(OWN, {OTHER: None, NodeName("node-2"): None}, later, 101.0) == ""
    assert why_not_to_lead(OWN, {OTHER: None}, heard(*[SealFault.FORGED] * 9), 101.0) == ""
    assert why_not_to_lead(OWN, {OTHER: None}, later, 100.0 + PRESENT_S) == "", "they are gone"
