"""Rendezvous hashing, against a plain computation; laws of all tables are in tests/property/test_hashing.py."""

import math
from collections import Counter
from fractions import Fraction
from hashlib import blake2b
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringway.core.hashing.digest import begin_hash, hash_key, table_secret
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.types import NodeName
from sample import name

KEYS = [b"user-%d" % number for number in range(60)]

clusters = st.dictionaries(
    st.sampled_from([name(index) for index in range(16)]), st.sampled_from([0.0, 0.1, 1.0, 1.5, 100.0]), max_size=16
)


def time_of(node: NodeName, weight: float, key: bytes, secret: bytes) -> float:
    """The definition, number by number."""
    hashed = table_secret(secret)
    raw = blake2b(node.encode(), digest_size=16, key=hashed, person=b"ringway node").digest()
    x = hash_key(key, begin_hash(hashed)) >> 34
    draw = (int.from_bytes(raw[:4], "little") * x + int.from_bytes(raw[4:8], "little")) % 2**32
    return -math.log1p(-(draw + 0.5) / 2**32) / weight


def direct(weights: dict[NodeName, float], key: bytes, secret: bytes = b"") -> list[NodeName]:
    """All nodes in the order of their times for `key`."""
    present = [node for node, weight in weights.items() if weight > 0]
    return sorted(present, key=lambda node: time_of(node, weights[node], key, secret))


@given(st.lists(clusters, min_size=1, max_size=8))
@settings(max_examples=50)
def test_whatever_came_before_it_says_what_a_direct_computation_says(steps: list[dict[NodeName, float]]) -> None:
    table = RendezvousTable({}, b"")
    for step in steps:
        table.update(step)
        assert dict(table.weights) == {node: weight for node, weight in step.items() if weight > 0}
        for key in KEYS[:10]:
            assert list(table.ranked(key)) == direct(step, key)
            if table.weights:
                assert table.owner(key) == direct(step, key)[0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 100, 1000])
def test_any_number_of_nodes_is_ordered_as_by_a_direct_computation(count: int) -> None:
    """All horizons are crossed, and the lanes of 1,000 nodes keep apart."""
    dice = Random(count)
    weights = {name(index): dice.choice([0.25, 1.0, 1.0, 3.0, dice.uniform(0.1, 9.0)]) for index in range(count)}
    table = RendezvousTable(weights, b"secret")
    for key in KEYS[:10]:
        assert list(table.ranked(key)) == direct(weights, key, b"secret")


def test_weights_of_very_different_size_are_ordered() -> None:
    weights = {name(1): 1e12, name(2): 1.0, name(3): 1e-9, name(4): 1e-300}
    table = RendezvousTable(weights, b"secret")
    for key in KEYS:
        assert list(table.ranked(key)) == direct(weights, key, b"secret")


def test_an_empty_table_owns_nothing() -> None:
    table = RendezvousTable({name(1): 1.0, name(2): 0.0})
    table.update({})
    with pytest.raises(LookupError):
        table.owner(b"key")
    assert list(table.ranked(b"key")) == []
    table.update({name(3): 5.0})
    assert table.owner(b"key") == name(3)


def test_there_is_nothing_to_build() -> None:
    table = RendezvousTable({})
    table.update({name(index): 1.0 for index in range(100)})
    assert not table.work()


def test_the_draws_of_two_keys_are_independent_at_a_node() -> None:
    """Counted in full for draws of 4 bits: over all nodes, each pair comes equally often, but for the last bits.

    These are j bits if 2^j divides the difference of the keys' x.
    """
    size = 4
    for one, other in combinations(range(2**3), 2):
        same = ((one - other) & (other - one)).bit_length() - 1
        pairs = Counter(
            tuple((a * x + b) % 2**size >> same for x in (one, other)) for a in range(2**size) for b in range(2**size)
        )
        assert len(pairs) == 2 ** (2 * (size - same))
        assert len(set(pairs.values())) == 1


def test_a_horizon_is_met_by_a_node_as_its_weight_says() -> None:
    """The first of all times is exponential with the sum of weights as its rate: its mean over many keys says so."""
    weights = {name(index): weight for index, weight in enumerate([0.5, 1.0, 2.5, 4.0])}
    times = [min(time_of(node, weight, b"%d" % key, b"") for node, weight in weights.items()) for key in range(20_000)]
    mean = float(Fraction(sum(map(Fraction, times)), len(times)))
    assert abs(mean * 8.0 - 1.0) < 4.5 / math.sqrt(len(times))
