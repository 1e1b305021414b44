"""Handshake headers of a client beyond the URL, and the check of the server's answer. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

from ringway.errors import ConfigError
from ringway.protocol.upgrade import Headers, Upgrade, check_response, value_of

HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN = frozenset(
    {"connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "host"}
)


def request_headers(
    origin: str | None, subprotocols: Sequence[str] | None, additional: HeadersLike | None
) -> list[tuple[str, str]]:
    """Return the headers beside the library's own; raise `ConfigError` for a forbidden header."""
    pairs = list(additional.items() if isinstance(additional, Mapping) else additional or ())
    for name, _ in pairs:
        if name.lower() in _OWN:
            raise ConfigError(f"the header {name} belongs to the handshake itself; leave it out")
    if origin is not None:
        pairs.append(("Origin", origin))
    if subprotocols:
        if any(not _TOKEN.fullmatch(item) for item in subprotocols) or len(set(subprotocols)) != len(subprotocols):
            raise ConfigError(f"the subprotocols {list(subprotocols)!r} must be distinct tokens (RFC 6455, 4.1)")
        pairs.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    for name, value in pairs:
        if not _TOKEN.fullmatch(name) or any((ord(c) < 32 and c != "\t") or c == "\x7f" for c in value):
            raise ConfigError(f"the header {name!r} has a name or value with characters that may not stand there")
    return pairs


def check_answer(key: str, subprotocols: Sequence[str], headers: Headers) -> str | None:
    """Return the subprotocol that the server's 101 chose, if any; raise `UpgradeError` for a wrong answer."""
    check_response(Upgrade(key, tuple(subprotocols), ()), 101, "1.1", headers)
    return value_of(headers, "sec-websocket-protocol")
