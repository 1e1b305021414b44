"""Every way in which people write addresses, and every way in which they get them wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ConfigError
from ringway.protocol.address import (
    BadAddress,
    Url,
    authority,
    is_literal,
    read_host_port,
    read_url,
    server_hostname,
    show_host_port,
    shown,
)

WS = {"ws": 80, "wss": 443}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", ("a", 7)),
        ("a:1", ("a", 1)),
        ("a.b.example.:65535", ("a.b.example.", 65535)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("_x_y-z:80", ("_x_y-z", 80)),
        ("3com.example", ("3com.example", 7)),
        ("[::1]", ("::1", 7)),
        ("[::1]:8000", ("::1", 8000)),
        ("[fe80::1%eth0]:8000", ("fe80::1%eth0", 8000)),
        ("[fe80::1%25eth0]", ("fe80::1%eth0", 7)),
        ("[::ffff:10.0.0.1]:1", ("::ffff:10.0.0.1", 1)),
        ("xn--bcher-kva.example", ("xn--bcher-kva.example", 7)),
        ("a:08", ("a", 8)),
    ],
)
def test_right_ones(text: str, found: tuple[str, int]) -> None:
    assert read_host_port(text, 7) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no host"),
        (":80", "names no host"),
        ("a:", "the port ''"),
        ("a:0", "the port '0' is not a number from 1 to 65535"),
        ("a:00000", "the port '00000'"),
        ("a:65536", "the port '65536'"),
        ("a:99999999999", "the port"),
        ("a:-1", "the port '-1'"),
        ("a:+1", "the port"),
        ("a:1.0", "the port"),
        ("a:0x50", "the port"),
        ("a: 80", "the port ' 80'"),
        ("a:80 ", "the port '80 '"),
        ("a:٨٠", "the port"),
        ("a:http", "the port 'http'"),
        ("::1", "must stand in brackets"),
        ("::1:80", "must stand in brackets"),
        ("a:80:80", "must stand in brackets"),
        ("[::1", "brackets"),
        ("[::1]x", "brackets"),
        ("[::1]80", "brackets"),
        ("[]", "no IPv6 address"),
        ("[a]:80", "no IPv6 address"),
        ("[1.2.3.4]:80", "no IPv6 address"),
        ("[::1%]:80", "no IPv6 address"),
        ("[fe80::1%a b]", "no IPv6 address"),
        ("[::1]:0", "the port '0'"),
        ("u@a:80", "is no host"),
        ("a b", "is no host"),
        ("a\t", "is no host"),
        ("a\n:80", "is no host"),
        ("a/b", "is no host"),
        ("*", "is no host"),
        ("bücher.example", "xn--"),
        ("a..b", "cannot exist"),
        (".a", "cannot exist"),
        ("a..", "cannot exist"),
        ("a" * 64, "cannot exist"),
        (".".join(["a" * 60] * 5), "cannot exist"),
        ("256.1.1.1", "no IPv4 address"),
        ("1.2.3", "no IPv4 address"),
        ("1.2.3.4.5", "no IPv4 address"),
        ("010.0.0.1", "no IPv4 address"),
        ("80", "no IPv4 address"),
    ],
)
def test_wrong_ones(text: str, problem: str) -> None:
    with pytest.raises(BadAddress, match=problem) as refused:
        read_host_port(text, 7)
    assert refused.value.rule


def test_a_port_must_be_given_where_there_is_no_usual_one() -> None:
    with pytest.raises(BadAddress, match="no port is given"):
        read_host_port("a")


@given(st.text(alphabet=st.sampled_from("ab1:.[]%@/?#-_ \té\x00,"), max_size=12))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        host, port = read_host_port(text, 7)
    except BadAddress:
        return
    assert 1 <= port <= 65535
    assert read_host_port(show_host_port(host, port)) == (host, port)


@given(st.text(alphabet=st.sampled_from("ws:/ab1.[]%@?#-_ \té\x00,"), max_size=20))
def test_whatever_is_written_as_a_url_is_read_or_refused(text: str) -> None:
    for url in (text, f"ws://{text}", f"WSS://secret:secret@{text}"):
        said = ""
        try:
            found = read_url(url, WS, "write it so")
        except ConfigError as error:
            said = str(error)
        else:
            assert found.scheme in WS
            assert 1 <= found.port <= 65535
        assert "secret" not in said


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ws://a", Url("ws", "a", 80, "", "")),
        ("WSS://A.Example/x?y=1", Url("wss", "a.example", 443, "/x", "y=1")),
        ("ws://[fe80::1%25eth0]:9", Url("ws", "fe80::1%eth0", 9, "", "")),
    ],
)
def test_urls(url: str, found: Url) -> None:
    assert read_url(url, WS, "") == found


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "must begin with ws:// or wss://"),
        ("a:80", "must begin with"),
        (" ws://a", "must begin with"),
        ("ws:/a", "must begin with"),
        ("ws://", "names no host"),
        ("ws://a:0/", "the port '0' is not a number from 1 to 65535"),
        ("ws://a:/", "the port ''"),
        ("ws://u:secret@a", "holds credentials; leave them out"),
        ("ws://:secret@a:0", "holds credentials"),
        ("ws://a#b", "fragment"),
        ("ws://a\x00b", "percent-encoded"),
        ("ws://a/é", "percent-encoded"),
        ("ws://a\\b", "is no host"),
    ],
)
def test_wrong_urls(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        read_url(url, WS, "write it so")
    assert "secret" not in str(refused.value)


def test_what_goes_into_headers_certificates_and_messages() -> None:
    assert authority("fe80::1%eth0", 9, 80) == "[fe80::1]:9"
    assert authority("a", 80, 80) == "a"
    assert server_hostname("a.example.") == "a.example"
    assert server_hostname("fe80::1%eth0") == "fe80::1"
    assert shown("ws://me:pw@a/x?ticket=1#f") == "ws://a/x"
    assert all(is_literal(host) for host in ("1.2.3.4", "::1", "fe80::1%eth0"))
    assert not any(is_literal(host) for host in ("a", "localhost", "1.2.3", "[::1]"))
