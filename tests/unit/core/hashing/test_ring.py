"""The hash ring; its properties for any nodes and weights are in tests/property/test_hashing.py."""

from itertools import islice, pairwise

import pytest

from ringway.core.hashing import complete
from ringway.core.hashing.ring import POINTS_MAX, POINTS_PER_WEIGHT, HashRing
from ringway.types import NodeName
from sample import name

EQUAL = dict.fromkeys(map(name, range(5)), 1.0)


def test_an_empty_ring_owns_nothing() -> None:
    ring = HashRing({})
    with pytest.raises(LookupError):
        ring.owner(b"key")
    assert list(islice(ring.ranked(b"key"), 3)) == []


def test_a_single_node_owns_everything() -> None:
    ring = HashRing({name(1): 1.0})
    assert {ring.owner(b"%d" % key) for key in range(100)} == {"n1"}


def test_owners_are_distinct_and_begin_with_the_owner() -> None:
    ring = HashRing(EQUAL)
    for key in (b"%d" % number for number in range(200)):
        owners = list(islice(ring.ranked(key), 3))
        assert owners[0] == ring.owner(key)
        assert len(set(owners)) == 3
    assert sorted(ring.ranked(b"key")) == sorted(EQUAL)


def test_the_second_owner_is_who_inherits_the_key() -> None:
    ring = HashRing(EQUAL)
    for key in (b"%d" % number for number in range(40)):
        first, second = list(islice(ring.ranked(key), 2))
        rest = HashRing({node: 1.0 for node in EQUAL if node != first})
        assert rest.owner(key) == second


def test_a_node_without_weight_owns_nothing() -> None:
    ring = HashRing({NodeName("a"): 1.0, NodeName("b"): 0.0})
    assert {ring.owner(b"%d" % key) for key in range(500)} == {"a"}
    assert dict(ring.weights) == {"a": 1.0}


def test_the_secret_decides_who_owns_what() -> None:
    one, other = (
        HashRing(dict.fromkeys(map(name, range(10)), 1.0), b"one"),
        HashRing(dict.fromkeys(map(name, range(10)), 1.0), b"other"),
    )
    keys = [b"%d" % key for key in range(1000)]
    same = sum(one.owner(key) == other.owner(key) for key in keys)
    assert 50 < same < 150  # a tenth, by chance


def test_points_are_bounded() -> None:
    ring = HashRing({name(1): 2.0 * POINTS_MAX / POINTS_PER_WEIGHT, name(2): 0.00001})
    assert ring.points == POINTS_MAX + 1


def test_a_node_with_few_points_has_its_place_in_every_order() -> None:
    """The nodes that a key does not meet within a few points come last, in the order of rendezvous hashing."""
    weights = {name(1): 1.0, name(2): 0.001, name(3): 0.002, name(4): 0.0005}
    ring = HashRing(weights, b"secret")
    for key in (b"%d" % number for number in range(100)):
        assert sorted(ring.ranked(key)) == sorted(weights)
        assert next(ring.ranked(key)) == ring.owner(key)


def test_points_are_as_many_as_the_weight_says_and_spread_over_the_sectors() -> None:
    for weight in (0.1, 0.3, 1.0, 1.001, 2.5):
        ring = HashRing({name(1): weight})
        per_sector = [len(row) for row in ring.sectors]
        assert ring.points == sum(per_sector) == round(weight * POINTS_PER_WEIGHT)
        assert max(per_sector) - min(per_sector) <= 1


def test_the_points_of_a_smaller_weight_are_among_those_of_a_larger() -> None:
    def points(weight: float) -> set[int]:
        return {point for row in HashRing({name(1): weight}).sectors for point in row}

    steps = [points(weight) for weight in (0.05, 0.1, 0.12, 0.125, 0.13, 1.0, 1.1, 3.0)]
    assert all(smaller < larger for smaller, larger in pairwise(steps))


def test_each_sector_is_in_order_after_any_change() -> None:
    ring = HashRing(EQUAL)
    for weights in ({**EQUAL, name(7): 9.0}, {name(7): 9.0, name(8): 0.3}, {name(8): 0.3}, EQUAL):
        complete(ring, weights)
        assert all(list(row) == sorted(row) for row in ring.sectors)
        anew = HashRing(weights)
        assert [len(row) for row in ring.sectors] == [len(row) for row in anew.sectors]


def test_names_may_come_and_go_for_ever() -> None:
    ring = HashRing({name(1): 1.0})
    for generation in range(40):
        complete(ring, {name(1): 1.0, NodeName(f"g{generation}"): 0.5, NodeName(f"h{generation}"): 0.5})
    assert len(ring.names) <= 5
    rebuilt = HashRing(ring.weights)
    assert [ring.owner(b"%d" % key) for key in range(500)] == [rebuilt.owner(b"%d" % key) for key in range(500)]
