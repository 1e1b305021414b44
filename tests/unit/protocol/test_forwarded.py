"""Whom to believe about where a request came from."""

from ipaddress import ip_network

import pytest

from ringway.protocol.forwarded import (
    ForwardedClient,
    forwarded_headers,
    is_trusted,
    read_client,
    read_networks,
    read_told,
)

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def headers(xff: str = "", **others: str) -> list[tuple[str, str]]:
    found = [("host", "app.example")]
    if xff:
        found.append(("x-forwarded-for", xff))
    return found + [(f"x-forwarded-{name}", value) for name, value in others.items()]


def test_a_stranger_is_not_believed() -> None:
    client = read_client("192.0.2.9", headers("10.1.1.1", host="evil", proto="https"), TRUSTED)
    assert client == ForwardedClient("192.0.2.9", "app.example", "http", ("192.0.2.9",))


@pytest.mark.parametrize(
    ("xff", "ip", "chain"),
    [
        ("", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("6.6.6.6, 192.0.2.1, 10.9.9.9", "192.0.2.1", ("192.0.2.1", "10.9.9.9", "10.0.0.1")),
        ("10.2.2.2, 10.9.9.9", "10.2.2.2", ("10.2.2.2", "10.9.9.9", "10.0.0.1")),
        ("unknown", "10.0.0.1", ("10.0.0.1",)),
        ("_hidden", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1, unknown", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1, unknown, 10.9.9.9", "10.9.9.9", ("10.9.9.9", "10.0.0.1")),
        ("192.0.2.1:4711", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        (' "192.0.2.1:4711" ', "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("192.0.2.1:99999", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1:", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.256", "10.0.0.1", ("10.0.0.1",)),
        ("[2001:dead::1]:443", "2001:dead::1", ("2001:dead::1", "10.0.0.1")),
        ("[2001:dead::1]", "2001:dead::1", ("2001:dead::1", "10.0.0.1")),
        ('"[2001:DEAD::1]:443"', "2001:dead::1", ("2001:dead::1", "10.0.0.1")),
        ("2001:dead::1", "2001:dead::1", ("2001:dead::1", "10.0.0.1")),
        ("::ffff:192.0.2.1", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("[::ffff:192.0.2.1]:5", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("6.6.6.6:1, 192.0.2.1:2,10.9.9.9:3", "192.0.2.1", ("192.0.2.1", "10.9.9.9", "10.0.0.1")),
        (",, 192.0.2.1 ,", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("2001:db8::7", "2001:db8::7", ("2001:db8::7", "10.0.0.1")),
        ("2001:dead::7", "2001:dead::7", ("2001:dead::7", "10.0.0.1")),
    ],
)
def test_the_right_most_stranger_is_the_client(xff: str, ip: str, chain: tuple[str, ...]) -> None:
    client = read_client("10.0.0.1", headers(xff), TRUSTED)
    assert (client.ip, client.chain) == (ip, chain)


@pytest.mark.parametrize(
    ("forwarded", "ip", "host", "scheme"),
    [
        ("for=192.0.2.1", "192.0.2.1", "app.example", "http"),
        ('For="192.0.2.1:4711";Proto=https;Host=public.example', "192.0.2.1", "public.example", "https"),
        ('for="[2001:dead::1]:4711"; proto=https', "2001:dead::1", "app.example", "https"),
        ("for=6.6.6.6;proto=gopher, for=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1", "app.example", "https"),
        (
            'for=192.0.2.1;proto=https;host="public.example:8443", for=10.9.9.9;proto=http;host=inner',
            "192.0.2.1",
            "public.example:8443",
            "https",
        ),
        ("for=unknown;proto=https", "10.0.0.1", "app.example", "https"),
        ("for=_gazonk", "10.0.0.1", "app.example", "http"),
        ("proto=https", "10.0.0.1", "app.example", "https"),
        ('for="192.0.2.1, for=6.6.6.6', "10.0.0.1", "app.example", "http"),
        ("for=192.0.2.1;for=6.6.6.6", "10.0.0.1", "app.example", "http"),
        ("nonsense", "10.0.0.1", "app.example", "http"),
        ('for="a\\"b,c", for=192.0.2.1', "192.0.2.1", "app.example", "http"),
    ],
)
def test_the_standard_header_is_read_as_well(forwarded: str, ip: str, host: str, scheme: str) -> None:
    client = read_client("10.0.0.1", [*headers(), ("forwarded", forwarded)], TRUSTED)
    assert (client.ip, client.host, client.scheme) == (ip, host, scheme)
    stranger = read_client("192.0.2.9", [*headers(), ("forwarded", forwarded)], TRUSTED)
    assert stranger == ForwardedClient("192.0.2.9", "app.example", "http", ("192.0.2.9",))


def test_where_both_headers_stand_the_common_one_counts() -> None:
    found = [*headers("192.0.2.1"), ("forwarded", "for=6.6.6.6;host=evil.example;proto=https")]
    client = read_client("10.0.0.1", found, TRUSTED)
    assert (client.ip, client.host, client.scheme) == ("192.0.2.1", "app.example", "http")


@pytest.mark.parametrize(
    ("xff", "proto", "scheme"),
    [
        ("192.0.2.1", "https", "https"),
        ("192.0.2.1", "HTTPS", "https"),
        ("192.0.2.1", "wss", "https"),
        ("192.0.2.1", "ws", "http"),
        ("192.0.2.1", "http, https", "https"),  # what stands left was written by the client
        ("192.0.2.1, 10.9.9.9", "https, http", "https"),  # one entry of each proxy
        ("192.0.2.1, 10.9.9.9", "https", "https"),
        ("192.0.2.1, 10.9.9.9", "gopher, https, http", "https"),
        ("192.0.2.1", "", "http"),
    ],
)
def test_of_several_schemes_that_of_the_clients_own_connection_counts(xff: str, proto: str, scheme: str) -> None:
    assert read_client("10.0.0.1", headers(xff, proto=proto), TRUSTED).scheme == scheme


def test_a_host_that_is_none_is_not_believed() -> None:
    assert read_client("10.0.0.1", headers("192.0.2.1", host="evil/../x"), TRUSTED).host == "app.example"


def test_the_port_that_a_proxy_tells_is_known() -> None:
    assert read_client("10.0.0.1", headers("192.0.2.1:4711"), TRUSTED).port == 4711


def test_what_a_gateway_has_proved_is_believed_whole() -> None:
    client = read_told("10.7.7.7", headers("192.0.2.1, 172.16.0.1", host="public.example", proto="https"))
    assert (client.ip, client.host, client.scheme) == ("192.0.2.1", "public.example", "https")


def test_several_headers_are_one_list() -> None:
    found = [*headers("6.6.6.6"), ("x-forwarded-for", "192.0.2.1")]
    assert read_client("10.0.0.1", found, TRUSTED).ip == "192.0.2.1"


def test_host_and_scheme_of_a_trusted_proxy() -> None:
    client = read_client("10.0.0.1", headers("192.0.2.1", host="public.example", proto="https"), TRUSTED)
    assert (client.host, client.scheme) == ("public.example", "https")
    assert read_client("10.0.0.1", headers("192.0.2.1", proto="gopher"), TRUSTED).scheme == "http"
    assert forwarded_headers(client) == [
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.1"),
        ("X-Forwarded-Host", "public.example"),
        ("X-Forwarded-Proto", "https"),
    ]


def test_an_ipv4_peer_of_a_dual_socket_is_the_same_peer() -> None:
    assert is_trusted("::ffff:10.1.2.3", TRUSTED)
    assert not is_trusted("::ffff:192.0.2.1", TRUSTED)
    assert not is_trusted("10.1.2.3", ())
    assert not is_trusted("", TRUSTED)


def test_networks_of_ipv4_may_be_written_as_ipv6() -> None:
    mapped = read_networks(["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"])
    for trusted in ("10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7"):
        assert is_trusted(trusted, mapped)
    for stranger in ("11.1.2.3", "192.0.2.8", "::1"):
        assert not is_trusted(stranger, mapped)
    assert is_trusted("::1", read_networks(["::/0"]))
