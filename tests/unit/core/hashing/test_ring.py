"""The hash ring; its properties for any nodes and weights are in tests/property/test_hashing.py."""

from itertools import islice

import pytest

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
    for key in (b"%d" % number for number in range(200)):
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


def test_keys_go_where_they_went_before_this_version() -> None:
    """Members of two versions must agree while they are rolled out: these owners were written down."""
    ring = HashRing({NodeName("node-1"): 1.0, NodeName("node-2"): 2.0, NodeName("node-3"): 0.5}, b"secret")
    owners = "".join(ring.owner(b"user-%d" % key)[-1] for key in range(32))
    assert owners == "22112212222112222231112211223311"


def test_points_are_bounded() -> None:
    ring = HashRing({name(1): 10.0 * POINTS_MAX / POINTS_PER_WEIGHT, name(2): 0.00001})
    assert ring.points == POINTS_MAX + 1


def test_a_node_with_few_points_has_its_place_in_every_order() -> None:
    """The nodes come in the order in which the key meets their first points, however far these are."""
    weights = {name(1): 1.0, name(2): 0.001, name(3): 0.002, name(4): 0.0005}
    ring = HashRing(weights, b"secret")
    for key in (b"%d" % number for number in range(100)):
        order = list(ring.ranked(key))
        assert sorted(order) == sorted(weights)
        for gone in range(3):
            rest = HashRing({node: weights[node] for node in order[gone:]}, b"secret")
            assert rest.owner(key) == order[gone]


def test_names_may_come_and_go_for_ever() -> None:
    ring = HashRing({name(1): 1.0})
    for generation in range(40):
        ring.update({name(1): 1.0, NodeName(f"g{generation}"): 0.5, NodeName(f"h{generation}"): 0.5})
    assert len(ring.numbering.names) == 3
    rebuilt = HashRing(ring.weights)
    assert [ring.owner(b"%d" % key) for key in range(500)] == [rebuilt.owner(b"%d" % key) for key in range(500)]
