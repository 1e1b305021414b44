"""Headers of balancers before the client's first byte."""

import struct
from ipaddress import ip_address

import pytest

from ringway.errors import UpgradeError
from ringway.protocol.proxy_header import SIGNATURE, Peer, ProxyHeaderReader, Source, peer_of

LONGEST = b":".join([b"ffff"] * 8)
REST = b"GET / HTTP/1.1\r\n"


def v2(source: str, port: int = 50007, *, command: int = 0x21, family: int = 0, tlvs: bytes = b"") -> bytes:
    """A header of version 2; `family` in place of that of the address."""
    address = ip_address(source)
    kind = family or (0x11 if address.version == 4 else 0x21)
    body = address.packed + address.packed + struct.pack(">HH", port, 443) + tlvs
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


SSL = tlv(0x20, b"\x01" + bytes(4) + tlv(0x21, b"TLSv1.3"))

GOOD = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.7 10.0.0.1 50007 443\r\n", Source("203.0.113.7", 50007)),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n", Source("2001:db8::1", 1)),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", Source()),
    "v1 UNKNOWN with addresses": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", Source()),
    "v1 of the greatest length": (
        b"PROXY UNKNOWN %b %b 65535 65535\r\n" % (LONGEST, LONGEST),
        Source(),
    ),
    "v2 TCP4": (v2("203.0.113.7"), Source("203.0.113.7", 50007)),
    "v2 TCP6": (v2("2001:db8::1"), Source("2001:db8::1", 50007)),
    "v2 mapped": (v2("::ffff:203.0.113.7"), Source("203.0.113.7", 50007)),
    "v2 LOCAL": (v2("203.0.113.7", command=0x20), Source()),
    "v2 LOCAL without addresses": (SIGNATURE + b"\x20\x00\x00\x00", Source()),
    "v2 UNSPEC": (SIGNATURE + b"\x21\x00\x00\x00", Source()),
    "v2 UNIX": (SIGNATURE + b"\x21\x31" + struct.pack(">H", 216) + bytes(216), Source()),
    "v2 UDP": (v2("203.0.113.7", family=0x12), Source()),
    "v2 with TLVs": (
        v2("203.0.113.7", tlvs=tlv(0x04, bytes(9)) + tlv(0xEA, b"vpce-1") + tlv(0x01, b"h2")),
        Source("203.0.113.7", 50007),
    ),
    "v2 of a client with TLS": (v2("203.0.113.7", tlvs=tlv(4, b"") + SSL), Source("203.0.113.7", 50007, tls=True)),
    "v2 of a client without": (v2("203.0.113.7", tlvs=tlv(0x20, bytes(5))), Source("203.0.113.7", 50007)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_header_is_read_however_it_comes(name: str) -> None:
    raw, source = GOOD[name]
    for size in (len(raw + REST), 1, 5):
        reader = ProxyHeaderReader(1024)
        told, at = None, 0
        while told is None:
            told = reader.feed((raw + REST)[at : at + size])
            at += size
        assert told == source
        assert reader.rest + (raw + REST)[at:] == REST


BAD = {
    "HTTP": REST,
    "POST": b"POST / HTTP/1.1\r\n",
    "half of another word": b"PROPFIND",
    "empty lines": b"\r\nGET",
    "another family": b"PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n",
    "no address": b"PROXY TCP4 here 10.0.0.1 1 2\r\n",
    "no port": b"PROXY TCP4 1.2.3.4 10.0.0.1 x 2\r\n",
    "a port too large": b"PROXY TCP4 1.2.3.4 10.0.0.1 65536 2\r\n",
    "a port with a zero before": b"PROXY TCP4 1.2.3.4 10.0.0.1 01 2\r\n",
    "two spaces": b"PROXY TCP4  1.2.3.4 10.0.0.1 1 2\r\n",
    "UDP4": b"PROXY UDP4 1.2.3.4 10.0.0.1 1 2\r\n",
    "no end": b"PROXY TCP4 " + b"1" * 200,
    "bare LF": b"PROXY TCP4 1.2.3.4 10.0.0.1 1 2\n" + b"x" * 100,
    "version 1 in binary": SIGNATURE + b"\x11\x11\x00\x00",
    "another command": v2("1.2.3.4", command=0x22),
    "addresses cut": SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    "too long": SIGNATURE + b"\x21\x11" + struct.pack(">H", 60000),
    "a TLV cut": v2("1.2.3.4", tlvs=b"\x04\xff\xff"),
    "half of a TLV": v2("1.2.3.4", tlvs=b"\x04"),
}


def read_all(raw: bytes, size: int) -> None:
    reader = ProxyHeaderReader(1024)
    for start in range(0, len(raw), size):
        assert reader.feed(raw[start : start + size]) is None


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_header_is_refused(name: str) -> None:
    for size in (len(BAD[name]), 1):
        with pytest.raises(UpgradeError) as caught:
            read_all(BAD[name], size)
        assert caught.value.status == 400


def test_who_is_at_the_other_end() -> None:
    assert peer_of(None, ("10.0.0.1", 7)) == Peer("10.0.0.1", 7, "http")
    assert peer_of(None, "") == Peer("")
    assert peer_of(Source(), ("10.0.0.1", 7)) == Peer("10.0.0.1", 7, carried=True)
    assert peer_of(Source("203.0.113.7", 50007, tls=True), ("10.0.0.1", 7)) == Peer(
        "203.0.113.7", 50007, "https", carried=True
    )
