"""Forwarded client addresses: `X-Forwarded-*` and `Forwarded`, their trust, and the headers to pass on (P-3.4).

Proxies append addresses on the right, so lists are read from there. An entry is used only if the proxy that wrote it is
trusted; entries left of the first untrusted address could have been written by any client.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from ringway.errors import ConfigError
from ringway.protocol.address import split_host, split_host_port
from ringway.protocol.upgrade import Headers, tokens_of, value_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"}
)
"""Headers that a client could forge; dropped unless a trusted proxy sent them."""

PROOF = "ringway-proof"
"""The header by which a gateway proves to a node that its statements about the client are genuine."""

_TOLD = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_PORT = re.compile(r"[0-9]{1,5}")

_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^";,\s]*)\s*(?:;|$)')


@dataclass(frozen=True, slots=True)
class ForwardedClient:
    """The client behind a request, by trusted statements only."""

    ip: str
    host: str
    scheme: str
    chain: tuple[str, ...]  # addresses to pass on in X-Forwarded-For, beginning with the client's
    port: int = 0  # the client's port, if a proxy reported it; otherwise 0


def read_client(peer_ip: str, headers: Headers, trusted: Collection[Network], scheme: str = "http") -> ForwardedClient:
    """Return the client behind a request: the peer itself, unless the peer is a trusted proxy.

    Behind trusted proxies the client is the right-most address that is not trusted itself. An entry that is no address,
    such as `unknown` or `_hidden`, ends the search: then the client is the proxy that wrote the entry.
    """
    host = value_of(headers, "host") or ""
    peer_ip = _plain(peer_ip)
    if not is_trusted(peer_ip, trusted):
        return ForwardedClient(peer_ip, host, scheme, (peer_ip,))
    return _behind(peer_ip, headers, trusted, host, scheme)


def read_told(peer_ip: str, headers: Headers, scheme: str = "http") -> ForwardedClient:
    """Return the client that a gateway of the cluster names: all its headers are trusted."""
    return _behind(_plain(peer_ip), headers, _EVERYBODY, value_of(headers, "host") or "", scheme)


def _behind(peer_ip: str, headers: Headers, trusted: Collection[Network], host: str, scheme: str) -> ForwardedClient:
    given, hosts, schemes = _told(headers)
    hops: list[tuple[str, int]] = [(peer_ip, 0)]
    proxies = 1  # trusted proxies; each has appended an entry to the list, or has replaced the list by its entry
    for text in reversed(given):
        hop = read_hop(text)
        if hop is None:
            break
        hops.append(hop)
        if not is_trusted(hop[0], trusted):
            break
        proxies += 1
    hops.reverse()
    told = _written_first(hosts, proxies)
    if told is not None and split_host(told) is not None:
        host = told
    proto = _written_first(schemes, proxies)
    scheme = _SCHEMES.get((proto or "").lower(), scheme)
    ip, port = hops[0]
    return ForwardedClient(ip, host, scheme, tuple(hop for hop, _ in hops), port)


def forwarded_headers(client: ForwardedClient) -> list[tuple[str, str]]:
    """The headers that describe `client` to the next server."""
    return [
        ("X-Forwarded-For", ", ".join(client.chain)),
        ("X-Forwarded-Host", client.host),
        ("X-Forwarded-Proto", client.scheme),
    ]


def told_of(headers: Headers) -> bytes:
    """Return the content of `forwarded_headers` as one text: a gateway proves it to a node (`TicketSigner.prove`)."""
    return "\n".join(value_of(headers, name) or "" for name in _TOLD).encode("latin-1")


def read_hop(text: str) -> tuple[str, int] | None:
    """Return address and port (0: none) of one entry of a list; None if it is no address.

    Forms are `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:443`, each also in quotes
    (RFC 7239, 4 and 6).
    """
    text = _unquoted(text.strip())
    split = split_host_port(text)
    if split is None:
        return None
    host, port = split
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if port is not None and not _PORT.fullmatch(port):
        return None
    number = int(port or 0)
    return (_plain(str(address)), number) if number <= 65535 else None


def is_trusted(text: str, trusted: Collection[Network]) -> bool:
    """True if the address `text` lies in one of the `trusted` networks."""
    if not trusted:
        return False
    try:
        address = ipaddress.ip_address(_plain(text))
    except ValueError:
        return False
    return any(address in network for network in trusted)


def read_networks(texts: Collection[str]) -> tuple[Network, ...]:
    """Return the networks in `texts`; raise `ConfigError` that names the wrong entries."""
    networks: list[Network] = []
    problems: list[str] = []
    for text in texts:
        try:
            networks.append(_plain_network(ipaddress.ip_network(text, strict=False)))
        except ValueError as error:
            problems.append(
                f"trusted_proxies: {text!r} is no network ({error}); write it as 10.0.0.0/8 or 2001:db8::/32"
            )
    if problems:
        raise ConfigError(*problems)
    return tuple(networks)


def _plain_network(network: Network) -> Network:
    """Return an IPv4 network in IPv6 form as an IPv4 network: addresses are compared in that form."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")


_EVERYBODY: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def _told(headers: Headers) -> tuple[list[str], list[str], list[str]]:
    """Return the addresses, hosts and schemes by proxies; from RFC 7239 headers only if `X-Forwarded-*` are missing."""
    addresses = tokens_of(headers, "x-forwarded-for")
    hosts = tokens_of(headers, "x-forwarded-host")
    schemes = tokens_of(headers, "x-forwarded-proto")
    if addresses or hosts or schemes:
        return addresses, hosts, schemes
    elements = [read_pairs(text) for key, value in headers if key == "forwarded" for text in _elements(value)]
    return (
        [pairs.get("for", "unknown") for pairs in elements],
        [pairs["host"] for pairs in elements if "host" in pairs],
        [pairs["proto"] for pairs in elements if "proto" in pairs],
    )


def read_pairs(element: str) -> dict[str, str]:
    """Return the parameters of one element of `Forwarded`, names in lower case; empty if it is malformed."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element):
        found = _PAIR.match(element, at)
        if found is None or found[1].lower() in pairs:
            return {}
        pairs[found[1].lower()] = _unquoted(found[2])
        at = found.end()
    return pairs


def _elements(value: str) -> list[str]:
    """Split at the commas outside quotes."""
    found: list[str] = []
    begin, quoted, escaped = 0, False, False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            found.append(value[begin:at])
            begin = at + 1
    return [element for element in (*found, value[begin:]) if element.strip()]


def _written_first(items: list[str], proxies: int) -> str | None:
    """Return the item of the proxy next to the client: each of the last `proxies` has written one item."""
    return items[max(0, len(items) - proxies)] if items else None


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _plain(text: str) -> str:
    """Return an address; an IPv4 address in the IPv6 form of a dual-stack socket is returned as IPv4."""
    if not text.lower().startswith("::ffff:"):
        return text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped) if mapped is not None else text
