"""Remembered owners, against a table that is asked for each key."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ringway.core.hashing.remembered as module
from ringway.core.hashing import TABLES, complete, make_table
from ringway.core.hashing.remembered import RememberedOwners
from ringway.types import NodeName
from sample import name

KEYS = [b"user-%d" % number for number in range(200)]

clusters = st.dictionaries(
    st.sampled_from([name(index) for index in range(9)]), st.sampled_from([0.0, 0.05, 0.1, 0.2]), min_size=1, max_size=9
)


@pytest.mark.parametrize("kind", TABLES)
@given(st.lists(clusters, min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_whatever_has_changed_since_a_key_was_asked_for_its_owner_is_right(
    kind: str, steps: list[dict[NodeName, float]], dice: Random
) -> None:
    table = make_table(kind, b"secret")
    owners = RememberedOwners(make_table(kind, b"secret"))
    for step in steps:
        if not any(step.values()):
            continue
        complete(table, step)
        owners.update(step)
        while owners.work():
            pass
        for key in dice.sample(KEYS, 40):
            assert owners.owner(key) == table.owner(key)


def test_a_change_asks_the_table_for_few_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table("rendezvous", b"secret")
    owners = RememberedOwners(table)
    weights = {name(index): 1.0 for index in range(20)}
    owners.update(weights)
    for key in KEYS:
        owners.owner(key)
    asked: list[bytes] = []
    plain = table.owner
    monkeypatch.setattr(table, "owner", lambda key: (asked.append(key), plain(key))[1])
    owners.update({**weights, name(20): 1.0})
    moved = sum(owners.owner(key) == name(20) for key in KEYS)
    assert asked == []
    assert moved > 0
    owners.update(weights)
    for key in KEYS:
        owners.owner(key)
    assert len(asked) == moved, "those of the node that has left"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 10)
    table = make_table("rendezvous", b"secret")
    owners = RememberedOwners(table)
    owners.update({name(1): 1.0, name(2): 1.0})
    for key in KEYS:
        assert owners.owner(key) == table.owner(key)
        assert len(owners) <= 10


def test_nobody_owns_a_key_of_an_empty_table() -> None:
    owners = RememberedOwners(make_table("rendezvous", b"secret"))
    with pytest.raises(LookupError):
        owners.owner(b"key")
