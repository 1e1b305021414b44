"""Builds the heads that cross the gateway from parsed fields: nothing is passed on unseen (RFC 9110, 7.6.1)."""

from collections.abc import Collection, Iterable

from ringway.protocol.forwarded import FORWARDED, Client, forwarded_headers
from ringway.protocol.upgrade import Headers, tokens_of

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_REFUSAL_KEPT = frozenset({"content-type", "retry-after", "www-authenticate", "sec-websocket-version"})
"""What is passed on of a node's refusal."""


def upgrade_headers(headers: Headers, client: Client, *, trust_peer: bool) -> tuple[bytes, bytes]:
    """Return the lines that ask a node for the WebSocket that the client asked for; apart, those that offer extensions.

    Host and every end-to-end header pass as they came. What a client could claim of itself in forwarding headers
    is replaced by what is known; a trusted proxy's own `Forwarded`, `X-Real-Ip` and `X-Forwarded-Port` pass.
    """
    passed = list(_passed(headers, _REPLACED if trust_peer else FORWARDED))
    lines = [line for line in passed if not line.startswith(_EXTENSIONS)]
    lines += [f"{name}: {value}\r\n" for name, value in forwarded_headers(client)]
    lines.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
    offers = [line for line in passed if line.startswith(_EXTENSIONS)]
    return "".join(lines).encode("latin-1"), "".join(offers).encode("latin-1")


def upgrade_response(headers: Headers) -> bytes:
    """Return the head that tells the client that its WebSocket is open."""
    lines = ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"]
    lines += _passed(headers, frozenset())
    return ("".join(lines) + "\r\n").encode("latin-1")


def refusal_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """What is passed on of the headers of a node's refusal."""
    return tuple((name, value) for name, value in headers if name in _REFUSAL_KEPT)


_EXTENSIONS = "sec-websocket-extensions:"

_REPLACED = frozenset({"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})


def _passed(headers: Headers, dropped: Collection[str]) -> Iterable[str]:
    named = {item.lower() for item in tokens_of(headers, "connection")}
    for name, value in headers:
        if name not in _HOP_BY_HOP and name not in dropped and (name not in named or name in _NEVER_NAMED):
            yield f"{name}: {value}\r\n"


_NEVER_NAMED = frozenset(
    {"host", "sec-websocket-key", "sec-websocket-version", "sec-websocket-accept", "sec-websocket-protocol"}
)
"""Without these there is no handshake: naming them in Connection must not take them away."""
