"""Maglev, against the paper's loop; laws of all tables are in tests/property/test_hashing.py."""

from collections import Counter

import pytest

from ringway.core.hashing.maglev import SIZE, MaglevTable
from ringway.types import NodeName
from sample import equal, name

CLUSTERS: list[dict[NodeName, float]] = [
    {name(1): 1.0},
    {name(index): 1.0 for index in range(5)},
    {name(index): 1.0 + index % 3 for index in range(37)},
    {name(1): 100.0, name(2): 0.1, name(3): 7.0},
]


@pytest.mark.parametrize("weights", CLUSTERS)
def test_places_are_filled_as_in_the_paper(weights: dict[NodeName, float]) -> None:
    """By turns, each node takes the first place in its order that is free: the plain loop, without any short cut."""
    table = MaglevTable(weights, b"secret")
    offsets, skips = (numbers.tolist() for numbers in table.preferences())
    places = [-1] * SIZE
    for number in table.turns():
        while places[offsets[number]] >= 0:
            offsets[number] = (offsets[number] + skips[number]) % SIZE
        places[offsets[number]] = number
    assert table.places == places


def test_turns_are_by_weight_and_spread() -> None:
    table = MaglevTable({name(1): 1.0, name(2): 2.0, name(3): 1.0})
    turns = table.turns()
    assert len(turns) == SIZE
    assert all(Counter(turns[begin : begin + 4]) == {0: 1, 1: 2, 2: 1} for begin in range(0, SIZE - 1, 4))


def test_an_empty_table_owns_nothing() -> None:
    table = MaglevTable({name(1): 0.0})
    with pytest.raises(LookupError):
        table.owner(b"key")
    assert list(table.ranked(b"key")) == []


def test_a_node_too_light_for_a_place_owns_nothing_and_is_still_an_alternate() -> None:
    table = MaglevTable({name(1): 1_000_000.0, name(2): 0.001, name(3): 0.002})
    keys = [b"%d" % number for number in range(300)]
    assert {table.owner(key) for key in keys} == {name(1)}
    assert all(sorted(table.ranked(key)) == ["n1", "n2", "n3"] for key in keys)


def test_keys_of_one_owner_fall_to_all_the_others() -> None:
    """When it is full, its keys must not all go to one neighbour."""
    table = MaglevTable({NodeName(node): weight for node, weight in equal(10).items()})
    seconds: Counter[NodeName] = Counter()
    for number in range(5000):
        first, second, *_ = table.ranked(b"%d" % number)
        if first == name(0):
            seconds[second] += 1
    assert len(seconds) == 9
    assert max(seconds.values()) < 2.5 * min(seconds.values())


def test_keys_go_where_they_went_before_this_version() -> None:
    """Members of two versions must agree while they are rolled out: these owners were written down."""
    table = MaglevTable({NodeName("node-1"): 1.0, NodeName("node-2"): 2.0, NodeName("node-3"): 0.5}, b"secret")
    assert "".join(table.owner(b"user-%d" % key)[-1] for key in range(32)) == "21111323221231232322232211221232"
