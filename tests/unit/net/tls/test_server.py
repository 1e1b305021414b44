"""TLS of a port: its certificates by name, and what is in use after its files have changed."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.net.tls.config import TlsPortConfig
from ringway.net.tls.server import PortTls
from support.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def config(*pairs: tuple[Path, Path], **settings) -> TlsPortConfig:
    return TlsPortConfig(
        tls_cert=tuple(str(cert) for cert, _ in pairs), tls_key=tuple(str(key) for _, key in pairs), **settings
    )


def shown(tls: PortTls, authority: Authority, name: str, *, ciphers: str = "") -> dict:
    """The certificate that a client of `name` is shown."""
    client = ssl.create_default_context(cafile=str(authority.path))
    client.check_hostname = False
    if ciphers:
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(ciphers)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name or None)
    theirs = tls.context.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return ours.getpeercert()


def common_name(certificate: dict) -> str:
    return certificate["subject"][-1][0][1]


def test_the_first_certificate_is_for_names_that_no_other_is_for(authority):
    tls = PortTls(config(*(authority.sign(name, name) for name in ("a.example", "*.b.example"))), "gateway")
    for name, want in (
        ("a.example", "a.example"),
        ("x.b.example", "*.b.example"),
        ("X.B.Example", "*.b.example"),
        ("y.x.b.example", "a.example"),
        ("b.example", "a.example"),
        ("", "a.example"),
    ):
        assert common_name(shown(tls, authority, name)) == want


def test_an_rsa_and_an_ecdsa_certificate_for_the_same_name_are_chosen_by_the_clients_ciphers(authority):
    tls = PortTls(config(authority.sign("ec", "a.example"), authority.sign("rsa", "a.example", is_rsa=True)), "gateway")
    for ciphers, want in (("ECDHE+aRSA+AESGCM", "rsa"), ("ECDHE+aECDSA+AESGCM", "ec")):
        assert common_name(shown(tls, authority, "a.example", ciphers=ciphers)) == want


def test_all_files_that_cannot_be_used_are_named_at_once(authority, tmp_path):
    pairs = [(tmp_path / "no.pem", tmp_path / "no.key"), authority.sign("old", "o.example", expired=True)]
    with pytest.raises(ConfigError) as raised:
        PortTls(config(*pairs, tls_client_cert="optional", tls_client_ca=str(tmp_path / "none.pem")), "node")
    text = str(raised.value)
    assert "node.tls_cert: the certificate in" in text
    assert "expired on" in text
    assert len(raised.value.problems) == 2


def test_authorities_of_clients_that_cannot_be_read_are_refused(authority, tmp_path):
    pair = authority.sign("a", "a.example")
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("none.pem", "junk.pem"):
        with pytest.raises(ConfigError, match=rf"node\.tls_client_ca: the authorities in .*{name} cannot be read"):
            PortTls(config(pair, tls_client_cert="optional", tls_client_ca=str(tmp_path / name)), "node")


def test_new_files_are_for_the_next_handshake_and_bad_ones_change_nothing(authority, tmp_path):
    cert, key = authority.sign("first", "a.example")
    tls = PortTls(config((cert, key)), "gateway")
    assert not tls.reread()
    second = authority.sign("second", "a.example")
    cert.write_bytes(second[0].read_bytes())
    with pytest.raises(ConfigError, match="does not fit"):
        tls.reread()
    assert common_name(shown(tls, authority, "a.example")) == "first"
    assert "the last good certificates stay in use: gateway.tls_cert: the key in" in tls.problem()
    key.write_bytes(second[1].read_bytes())
    assert tls.reread()
    assert common_name(shown(tls, authority, "a.example")) == "second"
    assert tls.problem() == ""


def test_an_expired_certificate_is_refused_at_the_start_and_kept_out_later(authority):
    good = authority.sign("good", "a.example")
    old = authority.sign("old", "a.example", expired=True)
    with pytest.raises(ConfigError, match=r"expired on .*; renew it"):
        PortTls(config(old), "gateway")
    tls = PortTls(config(good), "gateway")
    for mine, theirs in zip(good, old, strict=True):
        mine.write_bytes(theirs.read_bytes())
    with pytest.raises(ConfigError, match="expired on"):
        tls.reread()
    assert common_name(shown(tls, authority, "a.example")) == "good"


def test_expiry_within_14_days_is_a_problem_that_names_setting_and_file(authority):
    cert, key = authority.sign("soon", "a.example", days=10.5)
    problem = PortTls(config((cert, key)), "node").problem()
    assert problem.startswith(f"node.tls_cert: the certificate in {cert} expires in 10 days, on ")
    assert problem.endswith("; renew it")


def test_clients_cannot_renegotiate(authority):
    tls = PortTls(config(authority.sign("a", "a.example")), "gateway")
    assert tls.context.options & ssl.OP_NO_RENEGOTIATION
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
