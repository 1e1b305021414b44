"""The `X-Forwarded-*` headers: whom to believe, what to pass on (PROTOCOL.md P-3.4)."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from ringway.errors import ConfigError
from ringway.protocol.upgrade import Headers, tokens_of, value_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"}
)
"""Headers in which a client could lie about itself; dropped unless a trusted proxy sent them."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end, as far as can be believed."""

    ip: str
    host: str
    scheme: str
    chain: tuple[str, ...]  # addresses to pass on in X-Forwarded-For, the client's first


def read_client(peer_ip: str, headers: Headers, trusted: Collection[Network], scheme: str = "http") -> Client:
    """Return the client behind a request: the peer itself, unless it is a trusted proxy.

    Behind trusted proxies the client is the right-most address of X-Forwarded-For that is not trusted itself:
    whatever stands left of it could have been written by anybody.
    """
    host = value_of(headers, "host") or ""
    if not is_trusted(peer_ip, trusted):
        return Client(peer_ip, host, scheme, (peer_ip,))
    hops = [*tokens_of(headers, "x-forwarded-for"), peer_ip]
    first = len(hops) - 1
    while first > 0 and is_trusted(hops[first], trusted) and _is_address(hops[first - 1]):
        first -= 1
    host = value_of(headers, "x-forwarded-host") or host
    proto = value_of(headers, "x-forwarded-proto")
    return Client(hops[first], host, proto if proto in ("http", "https") else scheme, tuple(hops[first:]))


def forwarded_headers(client: Client) -> list[tuple[str, str]]:
    """The headers that tell the next server about `client`."""
    return [
        ("X-Forwarded-For", ", ".join(client.chain)),
        ("X-Forwarded-Host", client.host),
        ("X-Forwarded-Proto", client.scheme),
    ]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_trusted(text: str, trusted: Collection[Network]) -> bool:
    """Whether the address `text` lies in one of the `trusted` networks."""
    if not trusted:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # how a socket for both families names an IPv4 peer
    return any(address in network for network in trusted)


def read_networks(texts: Collection[str]) -> tuple[Network, ...]:
    """Return the networks in `texts`; raise `ConfigError` that names those that are none."""
    networks: list[Network] = []
    problems: list[str] = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            problems.append(
                f"trusted_proxies: {text!r} is no network ({error}); write it as 10.0.0.0/8 or 2001:db8::/32"
            )
    if problems:
        raise ConfigError(*problems)
    return tuple(networks)
