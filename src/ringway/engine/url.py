"""URL of an engine, split the same way for all engines, and the part of it for messages.

    scheme://[user[:password]@]host[:port][,host[:port]...][/path][?option=value&option=value...]

A password may contain any character, also those with a meaning elsewhere in a URL. So the credentials end at the last
`@` before the options, and the options begin at the first `?name=`. A URL that could be read in two ways is refused,
with the way to write it. No message repeats a part of the URL that could belong to a password.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ringway.errors import ConfigError
from ringway.protocol.address import BadAddress, read_host_port

HIDDEN = "(hidden)"

ENCODING = (
    "in user and password write signs that mean something in a URL percent-encoded: "
    "%2C for a comma, %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %"
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_OPTIONS = re.compile(r"\?(?=[A-Za-z_]+=)")
_SHOWN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#%@]+)(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class UrlParts:
    """The parts of an engine's URL, still encoded. Its repr shows no credentials."""

    scheme: str
    credentials: tuple[str, ...]
    """The text before the `@` of each host; empty without an `@`."""
    hosts: tuple[str, ...]
    path: str
    options: Mapping[str, str]
    """Decoded."""

    def __repr__(self) -> str:
        return f"UrlParts({self.scheme}://{','.join(self.hosts)}/{self.path})"

    def login(self, one_form: str) -> str:
        """Return the credentials. Raise `ConfigError` if they differ between hosts; `one_form` shows the right form."""
        if len(set(self.credentials)) > 1:
            raise ConfigError(f"the engine URL gives different credentials for its hosts; {one_form}; {ENCODING}")
        return self.credentials[0] if self.credentials else ""


def split_url(url: str, form: str) -> UrlParts:
    """Split `url`; raise `ConfigError`, which contains no part of it. `form` is the right form, for the message."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ConfigError(f"the engine URL does not begin with a scheme, as in nats://; {form}")
    head, query = _cut_options(rest)
    if "@" in query:
        raise ConfigError(f"the engine URL has an '@' behind a '?', which may be read in two ways; {ENCODING}")
    credentials, at, tail = head.rpartition("@")
    hosts, _, path = tail.partition("/")
    scheme = scheme.lower()
    if not at or "," not in credentials:
        found = (credentials,) if at else ()
        return UrlParts(scheme, found, _without_scheme(hosts.split(","), scheme), path, _options(query))
    # A comma before the last '@' means credentials before each host, or a comma in a password.
    parts = _without_scheme(head.removesuffix(f"/{path}").split(","), scheme)
    if not all("@" in part for part in parts):
        raise ConfigError(
            "the engine URL has a comma before its last '@': give user and password once, before the first host; "
            f"{ENCODING}"
        )
    each = [part.rpartition("@") for part in parts]
    return UrlParts(scheme, tuple(part[0] for part in each), tuple(part[2] for part in each), path, _options(query))


def mask(url: str) -> str:
    """Return the part of `url` for messages: its scheme and hosts, or less if they might contain a password."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return HIDDEN if url else ""
    head, query = _cut_options(rest)
    tail = head.rpartition("@")[2].replace(f"{scheme}://", "")
    hosts, slash, path = tail.partition("/")
    harmless = all(_SHOWN.fullmatch(host.strip()) for host in hosts.split(",")) or not tail
    if "@" in query or not harmless or not (path.isdecimal() or not path or scheme.endswith("+sentinel")):
        return f"{scheme}://{HIDDEN}"
    return f"{scheme}://{hosts}{slash}{path}"


def read_address(text: str, number: int, port_else: int, form: str) -> tuple[str, int]:
    """Return host and port of `text`, the host number `number` of the URL. The error does not repeat `text`."""
    try:
        return read_host_port(text, port_else)
    except BadAddress as error:
        raise ConfigError(
            f"host {number} in the engine URL is not host:port ({error.rule}); {form}; {ENCODING}"
        ) from None


def check_options(given: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise `ConfigError` if an option of `given` is not `known`."""
    for name in given:
        if name not in known:
            raise ConfigError(f"the engine URL has the option {name!r}; there are {', '.join(known)}")


def with_options(url: str, options: Mapping[str, str]) -> str:
    """Return `url` with the `options` that it does not have."""
    has = _options(_cut_options(url.partition("://")[2])[1])
    more = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items() if name not in has)
    return f"{url}{'&' if has else '?'}{more}" if more else url


def has_login(url: str, options: Sequence[str]) -> bool:
    """Return True if `url` contains a login: before a host, or in one of the `options`."""
    head, query = _cut_options(url.partition("://")[2])
    return "@" in head or any(name in _options(query) for name in options)


def _cut_options(rest: str) -> tuple[str, str]:
    found = _OPTIONS.search(rest)
    if found is not None:
        return rest[: found.start()], rest[found.end() :]
    credentials, at, tail = rest.rpartition("@")
    tail, _, query = tail.partition("?")
    return credentials + at + tail, query


def _options(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"the engine URL has something behind its '?' that is not option=value; {ENCODING}")
        given[decoded(name)] = decoded(value)
    return given


def decoded(text: str) -> str:
    """Return a part of an engine's URL without its percent-encoding; raise `ConfigError` if it is not UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigError(
            "the engine URL has percent-encoded bytes that are no UTF-8; encode the text's UTF-8"
        ) from None


def _without_scheme(parts: Sequence[str], scheme: str) -> tuple[str, ...]:
    return tuple(part.strip().removeprefix(f"{scheme}://") for part in parts)
