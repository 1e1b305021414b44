"""Whom to believe about where a request came from."""

from ipaddress import ip_network

import pytest

from ringway.protocol.forwarded import Client, forwarded_headers, is_trusted, read_client

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def headers(xff: str = "", **others: str) -> list[tuple[str, str]]:
    found = [("host", "app.example")]
    if xff:
        found.append(("x-forwarded-for", xff))
    return found + [(f"x-forwarded-{name}", value) for name, value in others.items()]


def test_a_stranger_is_not_believed() -> None:
    client = read_client("192.0.2.9", headers("10.1.1.1", host="evil", proto="https"), TRUSTED)
    assert client == Client("192.0.2.9", "app.example", "http", ("192.0.2.9",))


@pytest.mark.parametrize(
    ("xff", "ip", "chain"),
    [
        ("", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1", ("192.0.2.1", "10.0.0.1")),
        ("6.6.6.6, 192.0.2.1, 10.9.9.9", "192.0.2.1", ("192.0.2.1", "10.9.9.9", "10.0.0.1")),
        ("10.2.2.2, 10.9.9.9", "10.2.2.2", ("10.2.2.2", "10.9.9.9", "10.0.0.1")),
        ("unknown", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1:4711", "10.0.0.1", ("10.0.0.1",)),
        ("2001:db8::7", "2001:db8::7", ("2001:db8::7", "10.0.0.1")),
        ("2001:dead::7", "2001:dead::7", ("2001:dead::7", "10.0.0.1")),
    ],
)
def test_the_right_most_stranger_is_the_client(xff: str, ip: str, chain: tuple[str, ...]) -> None:
    client = read_client("10.0.0.1", headers(xff), TRUSTED)
    assert (client.ip, client.chain) == (ip, chain)


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
