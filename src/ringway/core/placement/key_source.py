"""Source of an affinity key: the parts of a request, and their readers (`key`).

For any content of a request, reading a part returns bytes, or no value, in time linear in its length.
"""

from base64 import urlsafe_b64decode
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes

import msgspec

from ringway.protocol.address import bracketed, split_host_port
from ringway.protocol.upgrade import Headers, value_of

QUERY_FIELDS_MAX = 64
"""The most parameters of a query that are read. Nodes refuse more; thousands of names would cost milliseconds."""


class KeySource(NamedTuple):
    """The parts of a request from which keys can be made. Texts hold the received bytes as Latin-1."""

    ip: str = ""  # of the client: behind trusted proxies, the address that they report
    port: int = 0  # 0 if unknown
    host: str = ""
    path: str = ""
    query: str = ""
    headers: Headers = ()  # names in lower case
    subject: str | None = None  # of a token that was verified; None: none was


def query_value(query: str, wanted: str) -> bytes:
    """Return the value of the first parameter `wanted` of a query, decoded; empty if there is no such parameter."""
    for item in query.split("&", QUERY_FIELDS_MAX)[:QUERY_FIELDS_MAX]:
        name, _, value = item.partition("=")
        if name == wanted or (("%" in name or "+" in name) and unquote_plus(name) == wanted):
            return decode_value(value)
    return b""


def decode_value(value: str) -> bytes:
    """Return the bytes that a parameter's value encodes."""
    return unquote_to_bytes(raw(value).replace(b"+", b" "))


def network(text: str, v4: int, v6: int) -> bytes | None:
    """Return the first `v4` or `v6` bits of an address, as an address whose remaining bits are zero."""
    address = _address(text)
    if address is None:
        return None
    bits = address.max_prefixlen - (v4 if isinstance(address, IPv4Address) else v6)
    return str(type(address)(int(address) >> bits << bits)).encode()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])  # without the zone, which has a meaning on the gateway only
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def ip_port(asked: KeySource) -> bytes | None:
    """Return the client's whole address and its port."""
    address = _address(asked.ip)
    return f"{address} {asked.port}".encode() if address is not None and asked.port else None


def host_of(asked: KeySource) -> bytes:
    """Return the host without its port; names are the same in upper and lower case."""
    host = asked.host.strip().lower()
    split = split_host_port(host)
    return raw(bracketed(split[0]) if split is not None else host)


def cookie(headers: Headers, wanted: bytes) -> bytes:
    """Return the value of the first cookie `wanted`; empty if there is no such cookie."""
    for header, line in headers:
        if header == "cookie":
            for item in raw(line).split(b";"):
                name, _, value = item.partition(b"=")
                if name.strip() == wanted:
                    return value.strip().strip(b'"')
    return b""


class _Claims(msgspec.Struct):
    sub: str = ""


_claims = msgspec.json.Decoder(_Claims)


def user(asked: KeySource) -> bytes | None:
    """Return the subject of the bearer's token (RFC 7519): the verified one, or an unverified one (`key`)."""
    if asked.subject is not None:
        return asked.subject.encode()
    scheme, _, token = (value_of(asked.headers, "authorization") or "").strip().partition(" ")
    given = raw(token).strip() if scheme.lower() == "bearer" else query_value(asked.query, "token")
    parts = given.split(b".")
    if len(parts) != 3:
        return None
    try:
        return _claims.decode(urlsafe_b64decode(parts[1] + b"==")).sub.encode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def raw(text: str) -> bytes:
    """Return the received bytes of `text`."""
    return text.encode("latin-1", "replace")
