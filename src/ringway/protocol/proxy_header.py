"""PROXY protocol, versions 1 and 2: the header of a layer-4 balancer before the client's first byte.

By the specification (haproxy.org, doc/proxy-protocol.txt, 2020-03-05) a receiver never guesses: if headers are switched
on, each connection of a trusted balancer begins with a header, and no header is read from any other peer.
"""

import ipaddress
import struct
from typing import NamedTuple

from ringway.errors import UpgradeError
from ringway.protocol.forwarded import read_hop

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
"""The first bytes of version 2 (section 2.2)."""

V1_BYTES_MAX = 107
"""The longest header of version 1, with its CR and LF (section 2.1)."""

_FIXED = struct.Struct(">12sBBH")
_V4 = struct.Struct(">4s4sHH")
_V6 = struct.Struct(">16s16sHH")
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_TCP4, _TCP6 = 0x11, 0x21
_SSL = 0x20  # the type of the TLV about TLS between client and balancer
_SSL_CLIENT = 0x01


class Source(NamedTuple):
    """The origin of a connection. `ip` is empty if the socket's peer is the origin: there was no PROXY header, the
    connection is the balancer's own, or its origin is unknown.
    """

    ip: str = ""
    port: int = 0
    tls: bool = False  # the client spoke TLS with the balancer, or with this server
    carried: bool = True  # a trusted balancer carries the connection, by its PROXY header
    subject: str = ""  # of the verified certificate that the client has shown this server (RFC 4514); empty: none


class Peer(NamedTuple):
    """The peer of a connection, and the scheme that it uses with the server that accepted it."""

    ip: str
    port: int = 0  # 0: unknown
    scheme: str = "http"
    carried: bool = False  # True if a trusted balancer carries the connection, by its PROXY header


def peer_of(source: Source | None, peername: object) -> Peer:
    """Return the peer of a connection: by its `source`, or where that names no address by the socket's `peername`."""
    carried = source is not None and source.carried
    scheme = "https" if source is not None and source.tls else "http"
    if source is not None and source.ip:
        return Peer(source.ip, source.port, scheme, carried)
    if isinstance(peername, tuple):
        return Peer(str(peername[0]), int(peername[1]), scheme, carried)
    return Peer("", 0, scheme, carried)


class ProxyHeaderReader:
    """Reads one header from the bytes of a connection, in pieces of any size; `rest` holds the bytes after it."""

    __slots__ = ("_data", "_size_max", "rest")

    def __init__(self, size_max: int) -> None:
        self._data = b""
        self._size_max = size_max
        self.rest = b""

    def feed(self, data: bytes) -> Source | None:
        """Return the content of the header once it is whole, None before; raise `UpgradeError` 400 if it is wrong."""
        self._data += data
        begin = self._data[: len(SIGNATURE)]
        if begin == SIGNATURE[: len(begin)]:
            return self._read_v2() if len(self._data) >= _FIXED.size else None
        if begin[:6] == b"PROXY "[: len(begin)]:
            return self._read_v1()
        raise UpgradeError(400, "connections from trusted_proxies begin with a PROXY header here (proxy_protocol)")

    def _read_v1(self) -> Source | None:
        line, end, _ = self._data[:V1_BYTES_MAX].partition(b"\r\n")
        if not end:
            if len(self._data) >= V1_BYTES_MAX:
                raise _malformed("its line does not end")
            return None
        self.rest = self._data[len(line) + 2 :]
        parts = line.decode("latin-1").split(" ")
        if parts[1:2] == ["UNKNOWN"]:
            return Source()
        if len(parts) != 6 or parts[1] not in ("TCP4", "TCP6"):
            raise _malformed("it is no line of version 1")
        return _source(parts[1] == "TCP6", parts[2:4], parts[4:])

    def _read_v2(self) -> Source | None:
        _, command, family, size = _FIXED.unpack_from(self._data)
        if command not in (_LOCAL, _PROXY):
            raise _malformed(f"version and command are {command:#04x}")
        if _FIXED.size + size > self._size_max:
            raise _malformed(f"it is longer than {self._size_max} bytes (head_bytes_max)")
        if len(self._data) < _FIXED.size + size:
            return None
        body = self._data[_FIXED.size : _FIXED.size + size]
        self.rest = self._data[_FIXED.size + size :]
        if command == _LOCAL or family not in (_TCP4, _TCP6):
            return Source()
        layout = _V4 if family == _TCP4 else _V6
        if size < layout.size:
            raise _malformed("its addresses are cut")
        source, _, port, _ = layout.unpack_from(body)
        ip = str(ipaddress.IPv4Address(source) if family == _TCP4 else ipaddress.IPv6Address(source))
        hop = read_hop(ip)
        return Source(hop[0] if hop else ip, port, _has_tls(body[layout.size :]))


def _source(v6: bool, addresses: list[str], ports: list[str]) -> Source:
    for address in addresses:
        try:
            if ipaddress.ip_address(address).version != (6 if v6 else 4):
                raise _malformed("an address is of the other family")
        except ValueError:
            raise _malformed("an address is none") from None
    for port in ports:
        if not (port.isascii() and port.isdigit()) or str(int(port)) != port or int(port) > 65535:
            raise _malformed("a port is none")
    hop = read_hop(addresses[0])
    return Source(hop[0] if hop else addresses[0], int(ports[0]))


def _has_tls(tlvs: bytes) -> bool:
    """Return True if the TLVs (section 2.2.5) say that the client spoke TLS."""
    tls = False
    at = 0
    while at < len(tlvs):
        size = int.from_bytes(tlvs[at + 1 : at + 3], "big")
        value = tlvs[at + 3 : at + 3 + size]
        if at + 3 + size > len(tlvs):
            raise _malformed("a TLV is cut")
        if tlvs[at] == _SSL:
            tls = bool(value) and bool(value[0] & _SSL_CLIENT)
        at += 3 + size
    return tls


def _malformed(why: str) -> UpgradeError:
    return UpgradeError(400, f"the PROXY header is malformed: {why}")
