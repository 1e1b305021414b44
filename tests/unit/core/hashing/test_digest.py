"""The hashes of tables, against their definition."""

from hashlib import blake2b

from ringway.core.hashing.digest import begin_hash, begin_points, hash_key, hash_name, table_secret
from ringway.types import NodeName

SECRET = table_secret(b"secret")


def test_keys_are_hashed_with_the_secret() -> None:
    keys = [b"", b"a", b"user-1", b"x" * 1000]
    expected = [int.from_bytes(blake2b(key, digest_size=8, key=SECRET).digest(), "big") for key in keys]
    assert [hash_key(key, begin_hash(SECRET)) for key in keys] == expected
    assert hash_key(b"a", begin_hash(table_secret(b"other"))) != expected[1]


def test_a_secret_may_be_of_any_length() -> None:
    assert {len(table_secret(secret)) for secret in (b"", b"x", b"y" * 500)} == {32}


def test_a_node_and_a_key_of_the_same_text_have_nothing_in_common() -> None:
    key = begin_hash(SECRET).copy()
    key.update(b"a")
    assert hash_name(NodeName("a"), SECRET)[:8] != key.digest()
    assert begin_points(NodeName("a"), SECRET).digest()[:8] not in {key.digest(), hash_name(NodeName("a"), SECRET)[:8]}


def test_the_name_and_the_number_of_points_are_kept_apart() -> None:
    """Node `a` with the number 98 must not have the points of node `ab`."""
    first = begin_points(NodeName("a"), SECRET)
    first.update(b"b")
    assert first.digest() != begin_points(NodeName("ab"), SECRET).digest()
