"""Addresses of users and peers: `host`, `host:port`, `[::1]:port`, and URLs. All readers of addresses are here. Pure.

A host in a setting is a name, an IPv4 address of four numbers, or an IPv6 address in brackets. The parts of a name have
1 to 63 letters, digits, `-` and `_` (RFC 1123, and `_` for Docker and Kubernetes users). The zone of an IPv6 address
may follow a `%` (RFC 4007; or `%25`, as in URLs by RFC 6874). Ports are 1 to 65535: clients cannot connect to port 0.

`urlsplit` alone is not enough: it drops blanks, tabs and line feeds in silence, and reads an empty port as a missing
port.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from ringway.errors import ConfigError

PORT_MAX = 65535
HOST_LENGTH_MAX = 253  # RFC 1035, 2.3.4, as text
LABEL_LENGTH_MAX = 63

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_CREDENTIALS = re.compile(r"//[^/?#]*@")
_BARE = re.compile(r"[!-~]*")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._~!$&'()*+,;=%-]+))(?::(?P<port>[0-9]{0,5}))?")


class BadAddress(ValueError):
    """An unusable address; the text gives the reason in half a sentence, without a full stop.

    `rule` gives the same reason without the input, which may be part of a password.
    """

    def __init__(self, text: str, rule: str = "") -> None:
        super().__init__(text)
        self.rule = rule or text


def split_host_port(text: str) -> tuple[str, str | None] | None:
    """Split `host[:port]` without checks: the host without brackets, and the port, None without a colon.

    An IPv6 address without brackets has no port. Return None if brackets do not match.
    """
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def split_host(text: str) -> tuple[str, str] | None:
    """Return name and port of a request's `name[:port]`, the name in lower case without brackets; None if it is wrong.

    The port is empty if no port is given (RFC 9110, 7.2). One expression, since each request is read by it.
    """
    found = _HOST.fullmatch(text.lower())
    if found is None:
        return None
    v6 = found["v6"]
    if v6 is not None and not is_literal(v6):
        return None
    return v6 or found["name"], found["port"] or ""


def read_host_port(text: str, usual_port: int | None = None) -> tuple[str, int]:
    """Return host and port of `text`; an IPv6 address comes without its brackets.

    Raise `BadAddress` if host or port is wrong, or if the port is missing and there is no `usual_port`.
    """
    split = split_host_port(text)
    if split is None:
        raise BadAddress("the brackets of an IPv6 address do not match")
    name, port = split
    if text.startswith("["):
        host = _ipv6(name)
    elif ":" in name:
        raise BadAddress("an IPv6 address must stand in brackets, as in [::1]:8000")
    else:
        host = check_host(name)
    if port is not None:
        return host, read_port(port)
    if usual_port is None:
        raise BadAddress("no port is given")
    return host, usual_port


def read_port(text: str) -> int:
    """Return the port that `text` names; raise `BadAddress`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= PORT_MAX):
        raise BadAddress(f"the port {text!r} is not a number from 1 to {PORT_MAX}", f"a port is 1 to {PORT_MAX}")
    return int(text)


def check_host(host: str) -> str:
    """Return `host`; raise `BadAddress` if it is no name and no IPv4 address."""
    if not host:
        raise BadAddress("it names no host")
    if not host.isascii():
        raise BadAddress(f"the host {host!r} is not ASCII; write it as its registry does, with xn--", "a host is ASCII")
    if not _NAME.fullmatch(host):
        rule = "a host has letters, digits, '.', '-' and '_'"
        raise BadAddress(f"{host!r} is no host; {rule}", rule)
    labels = host.removesuffix(".").split(".")
    if len(host) > HOST_LENGTH_MAX or not all(0 < len(label) <= LABEL_LENGTH_MAX for label in labels):
        rule = f"parts have 1 to {LABEL_LENGTH_MAX} characters"
        raise BadAddress(f"the host {host!r} cannot exist: its {rule}", f"a host's {rule}")
    if all(label.isdigit() for label in labels) and not _is_ip(IPv4Address, host):
        rule = "an IPv4 address has four numbers from 0 to 255"
        raise BadAddress(f"the host {host!r} is no IPv4 address: {rule}", rule)
    return host


def _ipv6(text: str) -> str:
    address, percent, zone = text.partition("%")
    zone = zone.removeprefix("25")
    if not _is_ip(IPv6Address, address) or (percent and not _NAME.fullmatch(zone)):
        raise BadAddress(f"[{text}] is no IPv6 address", "brackets hold an IPv6 address")
    return address + percent + zone


def _is_ip(kind: type[IPv4Address] | type[IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_literal(host: str) -> bool:
    """True if `host` is an IP address, which needs no resolver."""
    return _is_ip(IPv4Address, host) or _is_ip(IPv6Address, host)


def show_host_port(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """Return `host` as it is written before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def authority(host: str, port: int, usual_port: int) -> str:
    """Return the value of a Host header: without the usual port, and without a zone, which only this machine knows."""
    bare = bracketed(host.partition("%")[0])
    return bare if port == usual_port else f"{bare}:{port}"


def server_hostname(host: str) -> str:
    """Return the name in the certificate of `host`: without a zone, and without the dot of a fully qualified name."""
    return host.partition("%")[0].removesuffix(".")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL. `port` is the given or the usual port; `path` begins with a slash, or is empty."""

    scheme: str
    host: str
    port: int
    path: str
    query: str


def read_url(url: str, usual_ports: Mapping[str, int | None], form: str, instead: str = "leave them out") -> Url:
    """Return the parts of `url`, whose scheme must be one of `usual_ports`; None there means that a port must be given.

    Raise `ConfigError`, which names the problem and the right `form`, and gives the remedy `instead` of credentials. It
    contains no credentials, query or fragment.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in usual_ports:
        *others, last = (f"{known}://" for known in usual_ports)
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ConfigError(f"the URL {shown(url)!r} must begin with {listed}")
    if not _BARE.fullmatch(url):
        raise ConfigError(f"the URL {shown(url)!r} holds blanks or other characters that must be percent-encoded")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"the URL {shown(url)!r} cannot be read ({error}); {form}") from None
    if "@" in parts.netloc:
        raise ConfigError(f"the URL {shown(url)!r} holds credentials; {instead}")
    if "#" in url:
        raise ConfigError(f"the URL {shown(url)!r} has a fragment, which has no meaning here; leave out '#' and after")
    if not parts.netloc:
        raise ConfigError(f"the URL {shown(url)!r} names no host; {form}")
    try:
        host, port = read_host_port(parts.netloc, usual_ports[parts.scheme])
    except BadAddress as error:
        raise ConfigError(f"the URL {shown(url)!r} cannot be read ({error}); {form}") from None
    return Url(parts.scheme, host.lower(), port, parts.path, parts.query)


def url_problems(setting: str, url: str, usual_ports: Mapping[str, int | None], form: str) -> list[str]:
    """Return the problems of a setting's URL; an empty URL has none, since it means that no URL is given."""
    try:
        if url:
            read_url(url, usual_ports, form)
    except ConfigError as error:
        return [f"{setting}: {problem}" for problem in error.problems]
    return []


def shown(url: str) -> str:
    """Return the form of `url` for messages: without credentials, query and fragment. `url` may be any text."""
    return _CREDENTIALS.sub("//", url).partition("#")[0].partition("?")[0]
