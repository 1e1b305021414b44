"""Owners of many keys at once, against the tables asked key by key."""

import pytest

from ringway.core.hashing import TABLES, complete, make_table
from ringway.sim.owners import hash_keys, owners_of
from sample import name

KEYS = [b"user-%d" % number for number in range(3000)]


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("count", [1, 3, 40, 500])
def test_arrays_say_what_the_table_says(kind: str, count: int) -> None:
    table = make_table(kind, b"secret")
    complete(table, {name(index): 0.3 + index % 5 for index in range(count)})
    assert owners_of(table, hash_keys(KEYS, b"secret")).tolist() == [table.owner(key) for key in KEYS]


def test_heavy_nodes_whose_draws_are_close_are_told_apart() -> None:
    """With two nodes the first draw says little: the logarithm decides in every third case."""
    table = make_table("rendezvous", b"secret")
    complete(table, {name(1): 9.0, name(2): 1.0})
    assert owners_of(table, hash_keys(KEYS, b"secret")).tolist() == [table.owner(key) for key in KEYS]


def test_no_keys_have_no_owners() -> None:
    table = make_table("rendezvous", b"secret")
    complete(table, {name(1): 1.0})
    assert owners_of(table, hash_keys([], b"secret")).tolist() == []
