"""Versions of owners: what a leader tells, and what a node makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.balance.owner_versions import KEPT, OwnerVersions
from ringway.errors import ProtocolError
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest, read_owners, version_of
from ringway.types import NodeName
from sample import name

weights = st.dictionaries(st.sampled_from([name(index) for index in range(6)]), st.sampled_from([0.5, 1.0, 2.0]))
owners = st.builds(
    Owners, table=st.sampled_from(["ring", "maglev"]), weights=weights, before=st.none() | weights
)  # fmt: skip


def made(**weights: float) -> Owners:
    return Owners(table="ring", weights={NodeName(node): weight for node, weight in weights.items()})


@given(owners, owners)
def test_a_node_that_knows_any_older_version_gets_the_newer(old: Owners, new: Owners) -> None:
    leader = OwnerVersions()
    have, wanted = leader.add(old), leader.add(new)
    answer = leader.answer(OwnersRequest(version=wanted, have=have))
    assert read_owners(answer, old) == new
    assert read_owners(leader.answer(OwnersRequest(version=wanted)), None) == new


def test_a_change_is_told_as_a_difference() -> None:
    leader = OwnerVersions()
    have, wanted = leader.add(made(n1=1, n2=1, n3=1)), leader.add(made(n1=1, n2=2, n4=1))
    answer = leader.answer(OwnersRequest(version=wanted, have=have))
    assert answer == OwnersAnswer(version=wanted, since=have, changed={name(2): 2.0, name(4): 1.0, name(3): 0.0})


def test_the_version_says_what_it_stands_for_and_nothing_else() -> None:
    assert version_of(made(n1=1, n2=1)) == version_of(made(n2=1.0, n1=1.0, n3=0))
    different = [
        made(n1=1), made(n1=2), made(n2=1), Owners(table="maglev", weights={name(1): 1.0}),
        Owners(table="ring", weights={name(1): 1.0}, before={}),
        Owners(table="ring", weights={name(1): 1.0}, before={name(1): 1.0}),
    ]  # fmt: skip
    assert len({version_of(owners) for owners in different}) == len(different)


def test_only_the_newest_versions_are_remembered() -> None:
    leader = OwnerVersions()
    versions = [leader.add(made(n1=weight)) for weight in range(1, KEPT + 3)]
    assert leader.answer(OwnersRequest(version=versions[0])) == OwnersAnswer()
    assert leader.answer(OwnersRequest(version=versions[-1], have=versions[0])).owners == made(n1=KEPT + 2)
    assert leader.answer(OwnersRequest(version=versions[2])).owners == made(n1=3)


@pytest.mark.parametrize(
    "answer",
    [
        OwnersAnswer(),
        OwnersAnswer(version="0123456789abcdef", owners=made(n1=1)),
        OwnersAnswer(version=version_of(made(n1=1, n2=1)), since="?", changed={name(3): 1.0}),
    ],
)
def test_owners_that_are_not_those_of_the_version_are_refused(answer: OwnersAnswer) -> None:
    for known in (None, made(n1=1)):
        with pytest.raises(ProtocolError, match="ask for all"):
            read_owners(answer, known)
