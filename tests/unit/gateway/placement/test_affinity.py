"""Affinity keys: by the policy in force, for discovery and proxy alike, for any claims of clients."""

import asyncio
from typing import Any, NamedTuple

import pytest

from ringway.core.placement.key import DEFAULT_KEY, KeyReader
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.query import Query
from ringway.protocol.forwarded import read_networks
from ringway.protocol.head import RequestHead

SECRET = b"secret"
PROXY = "10.0.0.9"


class Reading(NamedTuple):
    """What reads the keys of requests, and by which text."""

    affinity: Affinity
    keys: KeyReader


def affinity(text: str, *, secret: bytes = SECRET, trusted: tuple[str, ...] = ()) -> Reading:
    return Reading(Affinity(read_networks(trusted)), KeyReader(text, secret))


def found(who: Reading, target: str = "/", peer: Any = ("192.0.2.7", 40000), **headers: str) -> bytes | None:
    path, _, query = target.partition("?")
    named = [("host", "x"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    client = asyncio.BaseTransport({"peername": peer})
    head = RequestHead("GET", path, query, "1.1", named, True)
    return who.affinity.key(client, head, Query(query) if query else None, who.keys)


def shown(text: str, value: bytes) -> bytes:
    return KeyReader(text, SECRET).shown(value)


def test_the_clients_own_key_stays_what_it_is() -> None:
    who = affinity(DEFAULT_KEY)
    assert found(who, "/chat?key=lobby") == b"lobby"
    assert found(who, "/chat?room=lobby") is None
    assert found(who, "/chat") is None


def test_the_clients_own_key_counts_for_nothing_where_the_key_is_another() -> None:
    who = affinity("cookie.sid")
    assert found(who, "/chat?key=lobby") is None
    assert found(who, "/chat?key=lobby", cookie="sid=7") == shown("cookie.sid", b"7")


def test_a_forged_address_changes_nothing_without_a_trusted_proxy() -> None:
    who = affinity("ip")
    honest = found(who)
    assert honest == shown("ip", b"192.0.2.7")
    for name in ("x_forwarded_for", "x_real_ip", "forwarded"):
        assert found(who, **{name: "198.51.100.1"}) == honest


def test_a_trusted_proxy_tells_who_its_client_is() -> None:
    who = affinity("ip", trusted=("10.0.0.0/8",))
    peer = (PROXY, 5)
    assert found(who, peer=peer, x_forwarded_for="198.51.100.1") == shown("ip", b"198.51.100.1")
    forged = "203.0.113.5, 198.51.100.1"  # what its client wrote itself stands to the left of what the proxy wrote
    assert found(who, peer=peer, x_forwarded_for=forged) == shown("ip", b"198.51.100.1")
    assert found(who, x_forwarded_for="198.51.100.1") == shown("ip", b"192.0.2.7")


def test_a_host_is_believed_from_a_trusted_proxy_alone() -> None:
    who = affinity("host", trusted=("10.0.0.0/8",))
    assert found(who, x_forwarded_host="a.example") == shown("host", b"x")
    assert found(who, peer=(PROXY, 5), x_forwarded_host="A.example:443") == shown("host", b"a.example")


def test_the_port_of_a_client_behind_a_proxy_is_not_known() -> None:
    who = affinity("ip:port", trusted=("10.0.0.0/8",))
    assert found(who) == shown("ip:port", b"192.0.2.7 40000")
    assert found(who, peer=(PROXY, 5), x_forwarded_for="198.51.100.1") is None


@pytest.mark.parametrize("peer", [None, "", "/run/socket", ("::1", 7, 0, 0)])
def test_any_kind_of_peer(peer: Any) -> None:
    assert found(affinity("ip"), peer=peer) == (shown("ip", b"::") if isinstance(peer, tuple) else None)


def test_discovery_is_asked_about_a_path() -> None:
    who = affinity("path")
    direct = found(who, "/rooms/7?x=1")
    assert direct == shown("path", b"/rooms/7")
    assert found(who, "/gateway?path=%2Frooms%2F7") == direct
    assert found(who, "/gateway?path=/rooms/7") == direct
    assert found(who, "/gateway") is None


def test_gateways_of_one_secret_agree_and_of_others_do_not() -> None:
    first, second = (found(affinity("query.room"), "/?room=lobby") for _ in range(2))
    assert first == second != found(affinity("query.room", secret=b"other"), "/?room=lobby")
