"""Origin rule: the pages that may open a connection (PROTOCOL.md P-2.6), against cross-site hijacking.

A browser always sends `Origin`; a program need not. A request without it is allowed, since Ringway trusts no cookie. An
origin is compared whole: scheme, host and port (RFC 6454, 4 and 6.2).
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Self
from urllib.parse import urlsplit

from ringway.errors import ConfigError
from ringway.protocol.address import split_host
from ringway.protocol.host import ANY

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NEVER = {"ws": "http", "wss": "https"}
"""Schemes that no page has, with the scheme that is meant."""

_LOOPBACK = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
"""Names of the machine itself: both lead to the same page."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_OPAQUE = ("null", "file://")
"""Origins without a host: of sandboxed frames and local files."""


class Origins:
    """The origins that an operator lists: `*`, whole origins, all hosts below a name, and all ports of a host.

    Made by `read_origins`. Immutable.
    """

    __slots__ = ("_any", "_patterns", "_whole")

    def __init__(self, whole: Collection[str], patterns: Collection[re.Pattern[str]] = ()) -> None:
        self._any = ANY in whole
        self._whole = frozenset(whole)
        self._patterns = tuple(patterns)

    def __bool__(self) -> bool:
        return bool(self._whole or self._patterns)

    def lists(self, origin: str) -> bool:
        """Return True if `origin` is listed."""
        if self._any:
            return True
        text = origin.lower()
        return text in self._whole or any(pattern.fullmatch(text) for pattern in self._patterns)

    def allows(self, origin: str | None, scheme: str, host: str) -> bool:
        """Return True if a page of `origin` may connect to a server at `scheme` and `host`.

        Allowed are a missing origin, the server's own origin (`http://name[:port]`), and listed origins.
        """
        return origin is None or _same(origin.lower(), scheme, host) or self.lists(origin)

    def joined(self, others: Collection[str]) -> Self:
        """Return these and the whole origins in `others`."""
        return type(self)(self._whole.union(others), self._patterns)


def read_origins(texts: Collection[str], setting: str = "allowed_origins") -> Origins:
    """Return the origins in `texts`; raise `ConfigError` that names every entry that could never match."""
    whole: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    problems: list[str] = []
    for text in texts:
        try:
            entry = _read_entry(text)
        except ValueError as error:
            problems.append(f"{setting}: {text!r} matches no page: {error}")
            continue
        if isinstance(entry, str):
            whole.add(entry)
        else:
            patterns.append(entry)
    if problems:
        raise ConfigError(*problems)
    return Origins(whole, patterns)


def origin_of(scheme: str, host: str) -> str | None:
    """Return the origin of pages at `scheme` and `host` in browsers' form; None if `host` is wrong."""
    split = split_host(host)
    if split is None:
        return None
    name, port = split
    name = f"[{ipaddress.ip_address(name)}]" if ":" in name else name
    number = int(port) if port else _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{name}" + (f":{number}" if number != _DEFAULT_PORTS.get(scheme) else "")


def origins_at(url: str) -> list[str]:
    """Return the origins of pages at `url`: empty if it has no origin, and two if the machine itself has two names.

    `ws` and `wss` mean pages at the same host: `http` and `https`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # for example: a bracket that is not closed
        return []
    scheme = {**_NEVER, "http": "http", "https": "https"}.get(parts.scheme)
    origin = origin_of(scheme, parts.netloc.rpartition("@")[2]) if scheme else None
    if origin is None:
        return []
    other = _LOOPBACK.get(parts.hostname or "")
    return [origin, origin.replace(str(parts.hostname), other, 1)] if other else [origin]


def _same(origin: str, scheme: str, host: str) -> bool:
    theirs, separator, authority = origin.partition("://")
    if not separator or theirs != scheme:
        return False
    own = origin_of(scheme, host)
    return own is not None and own == origin_of(theirs, authority)


def _read_entry(text: str) -> str | re.Pattern[str]:
    """Return the entry in browsers' form, or a pattern; raise `ValueError` with the right form."""
    entry = text.lower()
    if entry == ANY or entry in _OPAQUE:
        return entry
    if not entry.isascii() or any(char <= " " or char == "," for char in entry):
        raise ValueError("give each origin by itself, in ASCII (xn--... for other letters), without commas or spaces")
    scheme, separator, rest = entry.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError(f"an origin has a scheme and a host; write https://{entry.partition('/')[0] or 'app.example'}")
    if scheme in _NEVER:
        raise ValueError(f"pages have no {scheme}:// of their own; write {_NEVER[scheme]}://{rest}")
    authority = rest.removesuffix("/")
    if any(char in authority for char in "/?#@\\"):
        raise ValueError("an origin has no path, query or user; write scheme, host and port alone")
    if "*" not in authority:
        whole = origin_of(scheme, authority)
        if whole is None or _port_of(authority) > 65535:
            raise ValueError("write scheme, host and port, as https://app.example:8443")
        return whole
    below = authority.startswith("*.")
    all_ports = authority.endswith(":*")
    host = authority.removeprefix("*.").removesuffix(":*")
    whole = origin_of(scheme, host)
    if "*" in host or whole is None or _port_of(host) > 65535 or (all_ports and _port_of(host) >= 0):
        raise ValueError(
            "a * stands for all hosts below a name, https://*.app.example, or all ports, http://localhost:*"
        )
    labels = r"(?:[a-z0-9_-]+\.)+" if below else ""
    ports = r"(?::[0-9]+)?" if all_ports else ""
    return re.compile(re.escape(f"{scheme}://") + labels + re.escape(whole.removeprefix(f"{scheme}://")) + ports)


def _port_of(authority: str) -> int:
    split = split_host(authority)
    return int(split[1]) if split and split[1] else -1
