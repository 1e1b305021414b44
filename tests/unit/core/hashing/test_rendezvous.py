"""Slotted rendezvous hashing, against a plain computation; laws of all tables are in tests/property/test_hashing.py."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringway.core.hashing.rendezvous import DEPTH, DEPTH_MIN, ORDERS_MAX, SLOT_BITS, SLOTS, RendezvousTable
from ringway.core.hashing.stream import Names, begin_hash, hash_key, named, seed_of, table_secret
from ringway.types import NodeName
from sample import equal, name

KEYS = [b"user-%d" % number for number in range(60)]
MASK = 2**64 - 1

clusters = st.dictionaries(
    st.sampled_from([name(index) for index in range(16)]), st.sampled_from([0.0, 0.1, 1.0, 1.5, 100.0]), max_size=16
)


def time_of(node: NodeName, weight: float, slot: int, secret: bytes) -> float:
    """The definition, number by number."""
    state = seed_of(node, secret) + (slot + 1) * 0x9E3779B97F4A7C15 & MASK
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & MASK
    state ^= state >> 31
    return -math.log((state >> 12) * 2.0**-52 + 2.0**-53) / weight


def direct(weights: dict[NodeName, float], key: bytes, secret: bytes = b"") -> list[NodeName]:
    """All nodes in the order of their times at the slot of `key`."""
    hashed = table_secret(secret)
    slot = hash_key(key, begin_hash(hashed)) >> 64 - SLOT_BITS
    present = [node for node, weight in weights.items() if weight > 0]
    return sorted(present, key=lambda node: time_of(node, weights[node], slot, hashed))


def slots_listing(table: RendezvousTable) -> Counter[int]:
    """How many slots list how many nodes."""
    return Counter((table.listed & np.uint64(0xFFFF) != 0xFFFF).sum(axis=0).tolist())


def names_at(table: RendezvousTable, depth: int) -> Names:
    """Whom each slot lists at `depth`."""
    return named(table.numbering.names, (table.listed[depth] & np.uint64(0xFFFF)).astype(np.intp))


@given(st.lists(clusters, min_size=1, max_size=8))
@settings(max_examples=12)
def test_whatever_came_before_it_says_what_a_direct_computation_says(steps: list[dict[NodeName, float]]) -> None:
    table = RendezvousTable({}, b"")
    for step in steps:
        table.update(step)
        assert dict(table.weights) == {node: weight for node, weight in step.items() if weight > 0}
        for key in KEYS[:10]:
            assert list(table.ranked(key)) == direct(step, key)


def test_after_many_changes_every_slot_lists_what_it_would_anew() -> None:
    """Nodes leave by twos, and others come: no slot lists too few, and none has missed anybody."""
    weights = {name(index): 1.0 + index % 3 for index in range(30)}
    table = RendezvousTable(weights, b"")
    for index in range(0, 20, 2):
        del weights[name(index)], weights[name(index + 1)]
        weights[NodeName(f"late{index}")] = 2.0
        table.update(weights)
        assert min(slots_listing(table)) >= DEPTH_MIN
    anew = RendezvousTable(weights, b"")
    for depth in range(DEPTH_MIN):
        assert (names_at(table, depth) == names_at(anew, depth)).all()


def test_a_node_that_leaves_and_returns_leaves_everything_as_it_was() -> None:
    table = RendezvousTable({name(index): 1.0 for index in range(20)}, b"")
    before = table.listed.copy()
    table.update({name(index): 1.0 for index in range(19)})
    table.update({name(index): 1.0 for index in range(20)})
    assert (table.listed == before).all()


def test_few_nodes_are_all_listed() -> None:
    table = RendezvousTable({name(index): 1.0 for index in range(DEPTH)}, b"")
    assert slots_listing(table) == {DEPTH: SLOTS}
    table.update({name(0): 1.0})
    assert slots_listing(table) == {1: SLOTS}


def test_an_empty_table_owns_nothing() -> None:
    table = RendezvousTable({name(1): 1.0, name(2): 0.0})
    table.update({})
    with pytest.raises(LookupError):
        table.owner(b"key")
    assert list(table.ranked(b"key")) == []
    table.update({name(3): 5.0})
    assert table.owner(b"key") == name(3)


def test_orders_of_busy_keys_are_remembered_up_to_a_bound() -> None:
    weights = {NodeName(node): weight for node, weight in equal(DEPTH + 2).items()}
    table = RendezvousTable(weights)
    for number in range(ORDERS_MAX + 10):
        assert len(list(table.ranked(b"%d" % number))) == len(weights)
        assert table.orders <= ORDERS_MAX
    assert [list(table.ranked(key)) for key in KEYS for _ in range(2)] == [
        direct(weights, key) for key in KEYS for _ in range(2)
    ]
    del weights[name(0)]
    table.update(weights)
    assert [list(table.ranked(key)) for key in KEYS] == [direct(weights, key) for key in KEYS]


def test_names_may_come_and_go_for_ever() -> None:
    table = RendezvousTable({name(1): 1.0})
    for generation in range(15):
        table.update({name(1): 1.0, NodeName(f"g{generation}"): 0.5, NodeName(f"h{generation}"): 0.5})
    assert len(table.numbering.names) == 3
    weights = dict(table.weights)
    assert [list(table.ranked(key)) for key in KEYS] == [direct(weights, key) for key in KEYS]


def test_keys_go_where_they_went_before_this_version() -> None:
    """Members of two versions must agree while they are rolled out: these owners were written down."""
    table = RendezvousTable({NodeName("node-1"): 1.0, NodeName("node-2"): 2.0, NodeName("node-3"): 0.5}, b"secret")
    assert "".join(table.owner(b"user-%d" % key)[-1] for key in range(32)) == "21132122132222211231111233122132"
