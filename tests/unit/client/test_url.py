import pytest

from ringway.client.url import (
    address_of,
    check_url,
    discovery_url,
    has_query,
    is_http,
    is_secure,
    socket_url,
    with_query,
)
from ringway.errors import ConfigError
from ringway.protocol.address import shown

TICKET = "A" * 44


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8000", "must begin with"),
        ("ftp://host", "must begin with"),
        ("http://", "names no host"),
        ("http://host:0", "the port '0' is not a number"),
        ("http://host:99999", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("wss://host:", "the port ''"),
        ("wss://host:65536", "the port '65536'"),
        ("ws://::1:8000", "must stand in brackets"),
        ("http://[fe80::1%]:8000", "cannot be read"),
        ("http://1.2.3", "no IPv4 address"),
        (" http://host", "must begin with"),
        ("http://ho\tst", "percent-encode"),
        ("http://a..b", "cannot exist"),
        (f"http://{'a' * 64}.example", "cannot exist"),
        ("http://me:secret@host", "credentials"),
        ("ws://host/#part", "fragment"),
        ("ws://host/a b", "percent-encode"),
        ("ws://host/\r\nX: y", "percent-encode"),
        ("ws://hôst/", "percent-encode"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://h", "https://h.example.", "ws://127.0.0.1:8000/x?y=z", "wss://[::1]:8443"])
def test_a_right_url_passes(url: str) -> None:
    assert check_url(url) == url


def test_messages_show_neither_ticket_nor_credentials() -> None:
    assert shown(f"ws://me:pw@host:1/path?ticket={TICKET}#f") == "ws://host:1/path"


def test_host_and_port_come_from_the_url_or_its_scheme() -> None:
    assert [address_of(url) for url in ("http://h", "wss://h/", "ws://[::1]:9101/x")] == [
        ("h", 80),
        ("h", 443),
        ("::1", 9101),
    ]
    assert [is_secure(url) for url in ("http://h", "https://h", "ws://h", "wss://h")] == [False, True, False, True]
    assert [is_http(url) for url in ("http://h", "https://h", "ws://h", "wss://h")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("http://h:8000", "http://h:8000/gateway"),
        ("http://h:8000/", "http://h:8000/gateway"),
        ("https://h/ringway", "https://h/ringway/gateway"),
        ("wss://h", "https://h/gateway"),
        ("ws://h:1?zone=a", "http://h:1/gateway?zone=a"),
    ],
)
def test_the_gateway_is_asked_at_its_mount(base: str, asked: str) -> None:
    assert discovery_url(base, key=None) == asked


def test_a_question_names_key_node_and_ticket() -> None:
    asked = discovery_url("http://h", key="a&b=c/ü", node="n1", ticket=TICKET)
    assert asked == f"http://h/gateway?key=a%26b%3Dc%2F%C3%BC&node=n1&ticket={TICKET}"


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("http://h:8000", "/connection/websocket", "ws://h:8000/connection/websocket"),
        ("https://h/", "/connection/websocket", "wss://h/connection/websocket"),
        ("ws://h/own?a=1", "/connection/websocket", "ws://h/own?a=1"),
        ("ws://h", "", "ws://h/"),
    ],
)
def test_a_path_stands_in_only_where_there_is_none(base: str, path: str, url: str) -> None:
    assert socket_url(base, path) == url


def test_an_item_of_the_query_is_replaced_and_the_others_stay_as_they_are() -> None:
    url = "ws://h/p?a=%7E1&ticket=old&b&tick%65t=older"
    assert with_query(url, ticket="new") == "ws://h/p?a=%7E1&b&ticket=new"
    assert with_query(url, ticket=None) == "ws://h/p?a=%7E1&b"
    assert with_query("ws://h/p", key="k") == "ws://h/p?key=k"


def test_whether_a_query_has_an_item() -> None:
    assert has_query("ws://h/p?a=1&k%65y=", "key")
    assert not has_query("ws://h/p?keys=1&a=key=1", "key")
    assert not has_query("ws://h/key", "key")
