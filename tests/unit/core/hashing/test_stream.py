"""The random numbers of tables, against their published definitions."""

import math
from hashlib import blake2b

import numpy as np

from ringway.core.hashing.stream import (
    begin_hash,
    hash_key,
    hash_keys,
    mix,
    named,
    seed_of,
    step,
    steps,
    table_secret,
    times,
    uniform,
)
from ringway.types import NodeName

SECRET = table_secret(b"secret")


def test_numbers_are_those_of_splitmix64() -> None:
    """The first five for the seed 1234567, as the authors' program prints them."""
    numbers = mix(steps(0, 5) + np.uint64(1234567))
    assert numbers.tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


def test_a_number_can_be_had_without_those_before() -> None:
    assert [step(index) for index in range(7, 12)] == steps(7, 12).tolist()


def test_keys_are_hashed_with_the_secret() -> None:
    keys = [b"", b"a", b"user-1", b"x" * 1000]
    expected = [int.from_bytes(blake2b(key, digest_size=8, key=SECRET).digest(), "big") for key in keys]
    assert [hash_key(key, begin_hash(SECRET)) for key in keys] == hash_keys(keys, SECRET).tolist() == expected
    assert hash_keys([], SECRET).tolist() == []
    assert hash_key(b"a", begin_hash(table_secret(b"other"))) != expected[1]


def test_a_secret_may_be_of_any_length() -> None:
    assert {len(table_secret(secret)) for secret in (b"", b"x", b"y" * 500)} == {32}


def test_a_node_and_a_key_of_the_same_text_have_nothing_in_common() -> None:
    assert seed_of(NodeName("a"), SECRET) != hash_key(b"a", begin_hash(SECRET))


def test_fractions_are_never_zero_or_one() -> None:
    ends = uniform(np.array([0, 2**64 - 1], np.uint64))
    assert 0 < ends[0] < ends[1] < 1
    assert math.isfinite(math.log(ends[0]))


def test_times_come_at_the_rate_of_the_weight() -> None:
    seeds = np.array([1, 2], np.uint64)
    drawn = times(seeds, np.array([0.5, 4.0]), steps(0, 100_000))
    assert drawn.shape == (100_000, 2)
    assert np.abs(drawn.mean(axis=0) * [0.5, 4.0] - 1).max() < 4.5 / math.sqrt(100_000)


def test_names_are_found_by_number() -> None:
    assert named([NodeName("a"), NodeName("b")], np.array([1, 0, 1])).tolist() == ["b", "a", "b"]
