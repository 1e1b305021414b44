"""Tables that are built in slices: what they answer meanwhile, and that builds end."""

from collections.abc import Mapping

import pytest

from ringway.core.hashing import Table, complete, make_table
from ringway.core.hashing.maglev import MaglevTable
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.core.hashing.ring import HashRing
from ringway.types import NodeName
from sample import name

KEYS = [b"%d" % number for number in range(100)]
KINDS = {"ring": HashRing, "maglev": MaglevTable}
sliced = pytest.mark.parametrize("kind", KINDS)

TEN = {name(index): 1.0 for index in range(10)}


def owners(table: Table) -> list[NodeName]:
    return [table.owner(key) for key in KEYS]


def anew(kind: str, weights: Mapping[NodeName, float]) -> Table:
    return KINDS[kind](weights, b"secret")


@sliced
def test_until_it_is_whole_for_the_first_time_it_answers_as_rendezvous_does(kind: str) -> None:
    table, rendezvous = make_table(kind, b"secret"), RendezvousTable(TEN, b"secret")
    table.update(TEN)
    while True:
        assert [list(table.ranked(key)) for key in KEYS] == [list(rendezvous.ranked(key)) for key in KEYS]
        if not table.work():
            break
    assert owners(table) == owners(anew(kind, TEN)) != owners(rendezvous)


@sliced
def test_during_a_change_keys_only_go_to_newcomers_and_others_stay(kind: str) -> None:
    table = anew(kind, TEN)
    before, more = owners(table), {**TEN, name(10): 3.0, name(11): 40.0}
    table.update(more)
    after, slices = owners(anew(kind, more)), 0
    while table.work():
        slices += 1
        for owner, was, will in zip(owners(table), before, after, strict=True):
            assert owner in ({was} if was == will else {was, name(10), name(11)})
    assert slices > 1
    assert owners(table) == after != before


@sliced
def test_a_node_that_has_left_is_named_no_more_before_anything_was_built(kind: str) -> None:
    table = anew(kind, TEN)
    fewer = {node: weight for node, weight in TEN.items() if node > name(4)}
    table.update(fewer)
    assert all(sorted(table.ranked(key)) == sorted(fewer) for key in KEYS)
    assert set(owners(table)) <= set(fewer)


@sliced
def test_all_may_be_replaced_at_once(kind: str) -> None:
    table = anew(kind, TEN)
    others = {NodeName(f"other-{index}"): 1.0 for index in range(3)}
    table.update(others)
    more = True
    while more:
        assert all(sorted(table.ranked(key)) == sorted(others) for key in KEYS)
        more = table.work()
    assert owners(table) == owners(anew(kind, others))


@sliced
def test_builds_end_however_often_weights_change(kind: str) -> None:
    """A change waits for the build that is under way: else a table that changes each second is never whole."""
    table = anew(kind, TEN)
    for step in range(200):
        table.update({**TEN, name(0): 1.0 + step % 2, name(11): 30.0})
        table.work()
    assert any(table.owner(key) == name(11) for key in KEYS)
    last = dict(table.weights)
    complete(table, last)
    assert owners(table) == owners(anew(kind, last))


@sliced
def test_without_nodes_it_is_whole_and_begins_anew(kind: str) -> None:
    table = anew(kind, TEN)
    complete(table, {})
    assert list(table.ranked(b"key")) == []
    with pytest.raises(LookupError, match="empty"):
        table.owner(b"key")
    complete(table, TEN)
    assert owners(table) == owners(anew(kind, TEN))


@sliced
def test_a_whole_table_has_no_work(kind: str) -> None:
    table = anew(kind, TEN)
    assert not table.work()
    table.update(dict(reversed(TEN.items())))
    assert not table.work()
