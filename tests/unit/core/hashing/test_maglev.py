"""Maglev, against the paper's loop; laws of all tables are in tests/property/test_hashing.py."""

from collections import Counter

import pytest

from ringway.core.hashing.digest import table_secret
from ringway.core.hashing.maglev import SIZE, MaglevTable, preference, turns
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
    """By turns, each node takes the first place in its order that is free: the paper's loop."""
    table = MaglevTable(weights, b"secret")
    orders = [preference(node, table_secret(b"secret")) for node in table.names]
    taken = [0] * len(orders)
    places = [-1] * SIZE
    for number in turns([weights[node] for node in table.names]):
        offset, skip = orders[number]
        while places[place := (offset + taken[number] * skip) % SIZE] >= 0:
            taken[number] += 1
        places[place] = number
    assert table.places.tolist() == places


def test_turns_are_by_weight_and_spread() -> None:
    order = list(turns([1.0, 2.0, 1.0]))
    assert len(order) == SIZE
    assert all(Counter(order[begin : begin + 4]) == {0: 1, 1: 2, 2: 1} for begin in range(0, SIZE - 1, 4))


def test_turns_of_a_heavy_and_a_light_node_come_when_sainte_lague_says() -> None:
    order = list(turns([1000.0, 0.5]))
    times = sorted(
        [((turn + 0.5) / 1000.0, 0) for turn in range(SIZE)] + [((turn + 0.5) / 0.5, 1) for turn in range(40)]
    )
    assert order == [number for _, number in times[:SIZE]]


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
