"""Certificates of ports: what they say, and why they cannot be used."""

import subprocess
import time
from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.net.tls.certificate import EXPIRES_SOON_S, read_certificate
from support.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_names_and_dates_are_read(authority):
    cert, key = authority.sign("x", "App.example", "*.b.example", "192.0.2.1", days=30)
    read = read_certificate(str(cert), str(key))
    assert read.names == {"app.example", "*.b.example", "192.0.2.1"}
    assert read.file == str(cert)
    now = time.time()
    assert read.not_before < now < read.not_after < now + 31 * 86_400
    assert read.problem(now) == read.warning(now) == ""


def test_without_other_names_the_common_name_counts(authority):
    cert, key = authority.sign("old.example")
    assert read_certificate(str(cert), str(key)).names == {"old.example"}


def test_the_key_may_be_in_the_file_of_the_certificate_and_authorities_behind_it(authority, tmp_path):
    cert, key = authority.sign("x", "x.example")
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + authority.path.read_bytes() + key.read_bytes())
    assert read_certificate(str(both), "").names == {"x.example"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expired": True}, "expired on"),
        ({"starts_in": 3.0}, "is valid from"),
    ],
    ids=["expired", "later"],
)
def test_a_certificate_out_of_its_time_is_read_and_says_so(authority, change, said):
    cert, key = authority.sign("x", "x.example", **change)
    read = read_certificate(str(cert), str(key))
    problem = read.problem(time.time())
    assert said in problem
    assert str(cert) in problem
    assert read.warning(time.time()) == problem


def test_the_last_14_days_are_a_warning(authority):
    cert, key = authority.sign("x", "x.example", days=60)
    read = read_certificate(str(cert), str(key))
    soon = read.not_after - EXPIRES_SOON_S
    assert read.warning(soon - 1) == ""
    assert "expires in 14 days" in read.warning(soon)
    assert "expires within 2 days" in read.warning(read.not_after - 86_400)
    assert read.problem(soon) == ""


def _damage(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:3], b"AAAA" + lines[3][4:], *lines[4:]])


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda cert, key, other: cert.unlink(), r"the certificate in .*x\.pem cannot be read \(No such file"),
        (lambda cert, key, other: key.unlink(), r"the key in .*x\.key cannot be read"),
        (lambda cert, key, other: key.write_bytes(other.read_bytes()), r"the key in .*x\.key does not fit"),
        (lambda cert, key, other: key.write_bytes(cert.read_bytes()), r"there is no private key in .*x\.key"),
        (lambda cert, key, other: cert.write_bytes(key.read_bytes()), r"there is no certificate in .*x\.pem"),
        (lambda cert, key, other: cert.write_bytes(b""), r"there is no certificate in .*x\.pem"),
        (
            lambda cert, key, other: cert.write_bytes(_damage(cert.read_bytes())),
            r"x\.pem.* (cannot be used|is damaged)",
        ),
    ],
    ids=["no certificate", "no key", "wrong key", "swapped key", "swapped certificate", "empty", "damaged"],
)
def test_what_cannot_be_used_is_named_with_its_file(authority, breaks, said):
    cert, key = authority.sign("x", "x.example")
    _, other = authority.sign("other", "x.example")
    breaks(cert, key, other)
    with pytest.raises(ConfigError, match=said) as raised:
        read_certificate(str(cert), str(key))
    assert ";" in str(raised.value)


def test_a_key_with_a_passphrase_is_refused_without_a_question(authority, tmp_path):
    cert, key = authority.sign("x", "x.example")
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked], check=True)
    with pytest.raises(ConfigError, match="has a passphrase"):
        read_certificate(str(cert), str(locked))


def test_a_certificate_for_clients_alone_is_refused(authority, tmp_path):
    cert, key = authority.sign("x", "x.example", purpose="client")
    with pytest.raises(ConfigError, match="is none for a server"):
        read_certificate(str(cert), str(key))
