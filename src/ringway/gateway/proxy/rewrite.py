"""Heads that pass through the gateway, built from parsed fields: no unparsed bytes are passed on (RFC 9110, 7.6.1)."""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from ringway.protocol.forwarded import FORWARDED, PROOF, ForwardedClient, forwarded_headers
from ringway.protocol.knock import KNOCK
from ringway.protocol.move import MOVED
from ringway.protocol.response import REFUSED
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

SUBJECT_HEADER = "Ringway-Client-Subject"
"""The header with the subject of the certificate that a client has shown, and that the gateway has verified."""

USER_HEADER = "Ringway-User"
"""The usual header with the user of a token that the gateway has verified."""

_NAME = re.compile(r"[a-z0-9-]+")
"""Names that pass to nodes, as with nginx. Servers differ about all other names: CGI and WSGI read `_` as `-`, so that
`X_Forwarded_For` would count as the header that a client must not write."""


def upgrade_headers(
    headers: Headers,
    client: ForwardedClient,
    *,
    trust_peer: bool,
    user_header: str = USER_HEADER,
    user: str = "",
    subject: str = "",
) -> tuple[bytes, bytes]:
    """Return the lines of the request to a node for the client's WebSocket; separately, the lines that offer
    extensions.

    Host is left out: it is written for each node. All other end-to-end headers pass unchanged. Forwarding headers,
    which a client could forge, are replaced by known facts; `Forwarded`, `X-Real-Ip` and `X-Forwarded-Port` of a
    trusted proxy pass. `user_header` tells the verified `user`, already encoded; a client's own such header is dropped.
    `subject` is that of the client's verified certificate, in ASCII.
    """
    fields = _to_server(headers, trust_peer=trust_peer, user_header=user_header)
    lines = [line for name, line in fields if name != _EXTENSIONS]
    lines += _known_lines(client, user_header, user, subject)
    lines.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
    offers = [line for name, line in fields if name == _EXTENSIONS]
    return "".join(lines).encode("latin-1"), "".join(offers).encode("latin-1")


def request_lines(
    headers: Headers,
    client: ForwardedClient,
    *,
    trust_peer: bool,
    user_header: str = USER_HEADER,
    user: str = "",
    subject: str = "",
) -> str:
    """Return the lines of a plain request to a backend, as `upgrade_headers` does, without its Host and its length."""
    lines = [line for _, line in _to_server(headers, trust_peer=trust_peer, user_header=user_header)]
    lines += _known_lines(client, user_header, user, subject)
    lines.append(_VIA)
    return "".join(lines)


def answer_lines(headers: Headers) -> str:
    """Return the lines of a backend's answer to a plain request that are passed on, without its length."""
    return "".join([f"{name}: {value}\r\n" for name, value in _passed(headers, _OF_A_NODE)])


def _to_server(headers: Headers, *, trust_peer: bool, user_header: str) -> list[tuple[str, str]]:
    """Return the names and lines of a client's headers that pass to the server."""
    # The Connection header of a trusted proxy is for this gateway; further names in it could come from its client.
    passed = _passed(headers, _dropped(trust_peer, user_header), all_named=trust_peer)
    return [(name, f"{name}: {value}\r\n") for name, value in passed if _NAME.fullmatch(name)]


def _known_lines(client: ForwardedClient, user_header: str, user: str, subject: str) -> list[str]:
    """Return the lines that tell the server what the gateway knows of the client."""
    lines = [f"{name}: {value}\r\n" for name, value in forwarded_headers(client)]
    if user:
        lines.append(f"{user_header}: {user}\r\n")
    if subject:
        lines.append(f"{SUBJECT_HEADER}: {subject}\r\n")
    return lines


@lru_cache(maxsize=8)
def _dropped(trust_peer: bool, user_header: str) -> frozenset[str]:
    return (_REPLACED if trust_peer else _REPLACED | FORWARDED) | {user_header.lower()}


def upgrade_response(headers: Headers) -> bytes:
    """Return the head that tells the client that its WebSocket is open."""
    lines = ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in _passed(headers, frozenset())]
    return ("".join(lines) + "\r\n").encode("latin-1")


def refusal_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return the headers of a node's refusal that are passed on: all except headers about that connection."""
    return tuple(_passed(headers, _OF_A_101))


_EXTENSIONS = "sec-websocket-extensions"

_VIA = "Via: 1.1 ringway\r\n"
"""The mark of this hop in a plain request (RFC 9110, 7.6.3); an answer needs none."""

_OF_A_NODE = frozenset({REFUSED})

_REPLACED = frozenset(
    {
        "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", SUBJECT_HEADER.lower(), KNOCK, MOVED, PROOF,
    }
)  # fmt: skip

_OF_A_101 = frozenset({REFUSED, "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"})


def _passed(headers: Headers, dropped: Collection[str], *, all_named: bool = False) -> Iterable[tuple[str, str]]:
    """Yield the headers that are not about one connection; with `all_named` also those that Connection names."""
    named = set() if all_named else {item.lower() for item in tokens_of(headers, "connection")}
    for name, value in headers:
        if name not in _HOP_BY_HOP and name not in dropped and (name not in named or _is_kept(name)):
            yield name, value


def _is_kept(name: str) -> bool:
    """Return True if the header passes although Connection names it.

    A client can leave its own headers out. But it must not let the gateway remove a header that an earlier proxy has
    set, or by which the node judges the client (RFC 9110, 7.6.1).
    """
    return name.startswith(_KEPT_PREFIXES) or name in _KEPT


_KEPT_PREFIXES = ("sec-", "x-forwarded-", "cf-", "true-client-", "x-real-")

_KEPT = FORWARDED | {
    "authorization", "cache-control", "content-type", "cookie", "host", "origin", "referer", "set-cookie", "user-agent",
    "via", "www-authenticate",
}  # fmt: skip
