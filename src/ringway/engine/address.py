"""Names in an engine's address space: one token for each name, no collisions, no injection.

A token consists of printable ASCII without `.`, `*`, `>`, `%` (except in escapes) and spaces. So it is exactly one
token of a NATS subject, and one segment of any other hierarchical address. Ordinary names stay readable; every other
byte of the name's UTF-8 is written as `%XX`, as in a URL (RFC 3986, 2.1). The mapping is injective, because `%` itself
is always escaped and each escape has one spelling.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from ringway.errors import ConfigError

_KEPT = "!#$&'()+,/:;=@^"
_PLAIN = re.compile(r"[A-Za-z0-9_~!#$&'()+,/:;=@^-]+")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,32}")


def token(name: str) -> str:
    """Return the token for `name`, which must have at least one character."""
    if _PLAIN.fullmatch(name):
        return name
    return quote(name, safe=_KEPT).replace(".", "%2E")


def tokens(names: Sequence[str]) -> list[str]:
    """Return the token for each of `names`, as `token` does; faster if no name needs an escape."""
    if _PLAIN.fullmatch("".join(names)):
        return list(names)
    return [token(name) for name in names]


def name_of(token: str) -> str:
    """Return the name for `token`: the inverse of `token()`."""
    return unquote(token) if "%" in token else token


def is_label(text: str) -> bool:
    """Return True if `text` may name a cluster: 1 to 32 letters, digits, '_' or '-', which need no escape anywhere."""
    return _LABEL.fullmatch(text) is not None


def check_cluster(name: str) -> None:
    """Raise `ConfigError` if `name` may not name a cluster."""
    if not is_label(name):
        raise ConfigError(f"the cluster name {name!r} is not usable: give 1 to 32 letters, digits, '_' or '-'")
