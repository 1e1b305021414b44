"""Hosts in requests and settings (`name[:port]`), and the check that a host means this machine itself.

A browser on this machine can be led to a loopback address under any name: the name's owner lets it resolve to loopback
(DNS rebinding), and then the page and the server have one origin. Addresses and the machine's own names are safe from
this, so they are known; all other names must be listed.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from ringway.errors import ConfigError
from ringway.protocol.address import split_host

ANY = "*"

_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")


def is_loopback(name: str) -> bool:
    """Return True if the name or address means this machine itself (RFC 6761, 6.3)."""
    address = _address(name)
    if address is not None:
        return address.is_loopback
    name = name.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def host_known(host: str, known: Collection[str]) -> bool:
    """Return True if a request may name its server `host` (`name[:port]`), for a server that listens on loopback.

    Known are addresses, localhost, and the names in `known` (`read_hosts`). A missing host is accepted too: browsers
    always send one.
    """
    if not host or ANY in known:
        return True
    split = split_host(host)
    if split is None:
        return False
    name = split[0].removesuffix(".")
    if _address(name) is not None or is_loopback(name) or name in known:
        return True
    parent = name.partition(".")[2]
    while parent:
        if f"*.{parent}" in known:
            return True
        parent = parent.partition(".")[2]
    return False


def unknown_host(host: str) -> str:
    """Return the error text for a request with an unknown `host`."""
    return (
        f"this server listens on loopback and is not known as {host}; open it by its address or as localhost, or list "
        "the name in allowed_hosts; a proxy before it belongs in trusted_proxies"
    )


def host_at(url: str) -> list[str]:
    """Return the name of the host in `url`, in a list; an empty list if it names no host."""
    try:
        name = urlsplit(url).hostname
    except ValueError:  # for example: a bracket that is not closed
        return []
    return [name.removesuffix(".")] if name else []


def read_hosts(texts: Collection[str], setting: str = "allowed_hosts") -> frozenset[str]:
    """Return the names in `texts` in their plain form; raise `ConfigError` that names the wrong entries."""
    hosts: set[str] = set()
    problems: list[str] = []
    for text in texts:
        name = text.lower()
        if name != ANY and not _NAME.fullmatch(name):
            problems.append(
                f"{setting}: {text!r} is no name of a host; write it without scheme, port and path, as app.example, "
                "*.app.example for all below it, or * for any"
            )
        hosts.add(name.removesuffix("."))
    if problems:
        raise ConfigError(*problems)
    return frozenset(hosts)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
