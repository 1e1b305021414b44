"""Affinity key of a client, read from its request as the operator sets it (PROTOCOL.md P-3.3).

    ip  ip/24  ip/24/56  ip:port  host  path  query.NAME  header.NAME  cookie.NAME  user  {host}{path}  {user}@{ip/24}

`parse_key` turns that text into a `KeySpec`, once; `KeySpec.read` finds the key in the request of each client. A
request may come from a stranger: for any content, reading it returns a key or None, in time linear in its length. A
client has no key if a part is missing or empty, or if the key would be longer than `KEY_BYTES_MAX`.

`KeyReader` hides keys. A `key=` that the client put into its query itself is passed on as it came. Every other key (a
cookie, an address, a user) is replaced by a digest under the cluster's secret: so it is in no URL and no log, and no
stranger can aim at a node. Policies hash the digest and nodes compare it, and all gateways of one secret derive the
same digest.

The user is read from a token. On a route with `auth=jwt` it is the user of the token that was verified. Elsewhere the
token is *not* verified: it selects the node of its bearer, and gives no rights there. A forged token only leads to a
node, as any key does.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from hashlib import blake2b

from ringway.core.placement.key_source import KeySource, cookie, host_of, ip_port, network, query_value, raw, user
from ringway.errors import ConfigError
from ringway.protocol.forwarded import FORWARDED
from ringway.protocol.upgrade import value_of

DEFAULT_KEY = "query.key"

KEY_BYTES_MAX = 1024
"""The longest key; a node stores the key of each connection."""

SPEC_CHARS_MAX = 256
PARTS_MAX = 8

DIGEST_BYTES = 8

_NAME = re.compile(r"[A-Za-z0-9_.~$\[\]-]{1,64}")
_FORMS = "ip, ip/24, ip/24/56, ip:port, host, path, query.NAME, header.NAME, cookie.NAME, user"
_WHOLE = ("ip", "ip:port", "host", "path", "user")
_NAMED = ("query", "header", "cookie")


Part = Callable[[KeySource], bytes | None]


class KeySpec:
    """The way to read a key. Made by `parse_key`."""

    __slots__ = ("_parts", "text")

    def __init__(self, text: str, parts: tuple[Part | bytes, ...]) -> None:
        self.text = text
        self._parts = parts

    def read(self, asked: KeySource) -> bytes | None:
        """Return the key in a request; None if it has no key."""
        found: list[bytes] = []
        for part in self._parts:
            value = part if isinstance(part, bytes) else part(asked)
            if not value:
                return None
            found.append(value)
        key = b"".join(found)
        return key if len(key) <= KEY_BYTES_MAX else None


class KeyReader:
    """Reads keys by `text`, and hides secret or personal ones; `secret` is the cluster's.

    Raise `ConfigError` if `text` is no key.
    """

    __slots__ = ("_mac", "plain", "spec")

    def __init__(self, text: str, secret: bytes) -> None:
        self.spec = parse_key(text)
        self.plain = self.spec.text == DEFAULT_KEY
        """True if the key is the client's own `key=`, unchanged."""
        secret = blake2b(secret, digest_size=32).digest()
        self._mac = blake2b(digest_size=DIGEST_BYTES, key=secret, person=b"ringway key")

    def read(self, asked: KeySource) -> bytes | None:
        """Return the key of a request, in the form that may be shown."""
        value = self.spec.read(asked)
        return None if value is None else self.shown(value)

    def shown(self, value: bytes) -> bytes:
        """Return the form of the key `value` that policies, nodes and logs see."""
        if self.plain:
            return value
        mac = self._mac.copy()
        mac.update(value)
        return mac.hexdigest().encode()


def parse_key(text: str) -> KeySpec:
    """Return the spec of the key that `text` describes; raise `ConfigError` with the remedy if `text` is wrong."""
    text = text.strip()
    if not text or len(text) > SPEC_CHARS_MAX:
        raise ConfigError(f"a key is described in 1 to {SPEC_CHARS_MAX} characters, not {len(text)}; give {_FORMS}")
    if "{" in text or "}" in text:
        return KeySpec(text, _parse_template(text))
    return KeySpec(text, (_parse_part(text),))


def _parse_template(text: str) -> tuple[Part | bytes, ...]:
    literal, *rest = text.split("{")
    pieces: list[Part | bytes] = [_literal(literal, text)]
    for item in rest:
        name, closed, literal = item.partition("}")
        if not closed:
            raise ConfigError(f"the key {text!r} has a brace that is not closed; write it as {{host}}{{path}}")
        pieces += [_parse_part(name), _literal(literal, text)]
    if len(rest) > PARTS_MAX:
        raise ConfigError(f"the key {text!r} has {len(rest)} parts; {PARTS_MAX} are enough")
    return tuple(piece for piece in pieces if piece != b"")


def _literal(literal: str, text: str) -> bytes:
    if "}" in literal:
        raise ConfigError(f"the key {text!r} has a brace that was not opened; write it as {{host}}{{path}}")
    if "," in literal or not literal.isascii() or not literal.isprintable():
        raise ConfigError(
            f"the key {text!r} has {literal!r} between its parts; "
            "separate them with printable ASCII and without commas, as in {host}|{path}"
        )
    return literal.encode()


def _parse_part(text: str) -> Part:
    kind, dot, name = text.partition(".")
    if dot and kind in _NAMED:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"the key {text!r} must name its {kind} by 1 to 64 of letters, digits and _.~$[]-; such as {kind}.room"
            )
        return _parse_named(kind, name)
    if text in _READERS:
        return _READERS[text]
    if text.startswith("ip/"):
        return _parse_ip(text)
    near = get_close_matches(text, _WHOLE, n=1) or [
        f"{known}.{name}" for known in get_close_matches(kind, _NAMED, n=1) if name
    ]
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"the key {text!r} is unknown{meant or '; give ' + _FORMS + ', or a template of them such as {host}{path}'}"
    )


def _parse_named(kind: str, name: str) -> Part:
    if kind == "query":
        return lambda asked: query_value(asked.query, name)
    if kind == "cookie":
        wanted = name.encode()
        return lambda asked: cookie(asked.headers, wanted)
    header = name.lower()
    if header in FORWARDED:
        right = "host" if "host" in header else "ip"
        raise ConfigError(
            f"the key 'header.{name}' could be written by any client; "
            f"give {right}, and name your proxies in trusted_proxies"
        )
    return lambda asked: raw(value_of(asked.headers, header) or "").strip()


def _parse_ip(text: str) -> Part:
    lengths = text.split("/")[1:]
    whole = [int(item) if item.isascii() and item.isdigit() and len(item) <= 3 else 0 for item in lengths]
    v4, v6 = (*whole, 64)[:2]
    if len(whole) > 2 or not (1 <= v4 <= 32 and 1 <= v6 <= 128):
        raise ConfigError(
            f"the key {text!r} must give the prefix of IPv4 (1 to 32), and may give that of IPv6 (1 to 128, 64 if "
            "left out); such as ip/24 or ip/24/56"
        )
    return lambda asked: network(asked.ip, v4, v6)


_READERS: dict[str, Part] = {
    "ip": lambda asked: network(asked.ip, 32, 64),
    "ip:port": ip_port,
    "host": host_of,
    "path": lambda asked: raw(asked.path),
    "user": user,
}
