"""Any header of a stranger about its origin is read without a fault, and strangers are not believed."""

from contextlib import suppress
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ConfigError, UpgradeError
from ringway.protocol.address import split_host
from ringway.protocol.forwarded import is_trusted, read_client, read_hop, read_told
from ringway.protocol.head import HeadReader
from ringway.protocol.host import host_known
from ringway.protocol.origin import read_origins
from ringway.protocol.proxy_header import SIGNATURE, ProxyHeaderReader

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))

latin = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
addresses = st.one_of(st.ip_addresses().map(str), st.just("10.1.1.1"))
hop = st.one_of(
    addresses,
    st.tuples(addresses, st.integers(0, 99999)).map(
        lambda it: f"[{it[0]}]:{it[1]}" if ":" in it[0] else f"{it[0]}:{it[1]}"
    ),
    addresses.map(lambda text: f'"{text}"'),
    st.sampled_from(["unknown", "_hidden", "", "for=", '"', "\\"]),
    latin,
)
names = st.sampled_from(["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "host"])
headers = st.lists(st.tuples(names, st.lists(hop, max_size=4).map(", ".join)), max_size=6)


@given(headers)
def test_a_stranger_is_who_it_is(found: list[tuple[str, str]]) -> None:
    client = read_client("192.0.2.9", found, TRUSTED)
    assert (client.ip, client.chain, client.scheme, client.port) == ("192.0.2.9", ("192.0.2.9",), "http", 0)


@given(headers)
def test_behind_a_proxy_the_chain_is_addresses_and_its_first_alone_may_be_a_stranger(
    found: list[tuple[str, str]],
) -> None:
    client = read_client("10.0.0.1", found, TRUSTED)
    assert client.ip == client.chain[0]
    assert client.chain[-1] == "10.0.0.1"
    assert all(read_hop(text) is not None for text in client.chain)
    assert all(is_trusted(text, TRUSTED) for text in client.chain[1:])
    assert client.scheme in ("http", "https")
    read_told("10.0.0.1", found)


@given(st.lists(latin, max_size=3), latin, latin)
def test_lists_of_origins_and_hosts_read_anything(entries: list[str], origin: str, host: str) -> None:
    split_host(host)
    host_known(host, {"app.example"})
    with suppress(ConfigError):
        read_origins(entries).allows(origin, "https", host)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
    st.integers(1, 50),
)
def test_a_proxy_header_is_the_same_however_it_comes(data: bytes, start: bytes, size: int) -> None:
    raw = start + data

    def read(piece: int) -> object:
        reader = ProxyHeaderReader(1024)
        for at in range(0, len(raw), piece):
            try:
                source = reader.feed(raw[at : at + piece])
            except UpgradeError as error:
                return error.status
            if source is not None:
                return source, reader.rest + raw[at + piece :]
        return None

    assert read(size) == read(len(raw) or 1)


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"",
            b"GET / HTTP/1.1\r\nHost: x\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        ]
    ),
)
def test_heads_are_the_same_however_they_come(data: bytes, start: bytes) -> None:
    raw = start + data

    def read(piece: int) -> list[tuple[str, str, list[tuple[str, str]]]]:
        reader = HeadReader(1024, 20)
        found = []
        for at in range(0, len(raw), piece):
            found += reader.feed(raw[at : at + piece])
            if reader.problem is not None or reader.rest is not None:
                break
        return [(head.path, head.query, head.headers) for head in found]

    assert read(1) == read(len(raw) or 1)
