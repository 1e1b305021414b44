"""Tests of `ringway.protocol.keyring`."""

import pytest

from ringway.protocol.keyring import Keyring, Purpose, derive_key, fingerprint_of, hkdf


@pytest.mark.parametrize(
    ("secret", "salt", "info", "output"),
    [  # RFC 5869, appendices A.1, A.3: the first block of the output
        ("0b" * 22, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"),
        ("0b" * 22, "", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
    ],
)  # fmt: skip
def test_it_derives_what_the_rfc_says(secret: str, salt: str, info: str, output: str) -> None:
    assert hkdf(*map(bytes.fromhex, (secret, salt, info))).hex() == output


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({derive_key(b"secret", purpose) for purpose in Purpose}) == len(Purpose)


def test_the_current_secret_signs_and_the_previous_is_accepted_too() -> None:
    ring = Keyring(b"new", b"old")
    assert ring.keys(Purpose.BUS) == (derive_key(b"new", Purpose.BUS), derive_key(b"old", Purpose.BUS))


def test_a_change_of_the_secret_is_seen_by_the_generation() -> None:
    ring = Keyring(b"old")
    assert ring.replace(b"new", b"old")
    assert ring.generation == 1
    assert not ring.replace(b"new", b"old")
    assert ring.generation == 1
    assert ring.replace(b"new")
    assert ring.keys(Purpose.BUS) == (derive_key(b"new", Purpose.BUS),)


def test_keys_are_derived_once_for_each_secret() -> None:
    ring = Keyring(b"old")
    before = ring.keys(Purpose.KNOCK)
    assert ring.keys(Purpose.KNOCK) is before
    ring.replace(b"new")
    assert ring.keys(Purpose.KNOCK) == (derive_key(b"new", Purpose.KNOCK),)


def test_a_fingerprint_is_a_part_of_a_key_that_serves_nothing_else() -> None:
    ring = Keyring(b"new", b"old")
    assert ring.fingerprints == (fingerprint_of(b"new"), fingerprint_of(b"old"))
    assert fingerprint_of(b"new") == derive_key(b"new", Purpose.FINGERPRINT).hex()[:8]
    ring.replace(b"new")
    assert ring.fingerprints == (fingerprint_of(b"new"),)
