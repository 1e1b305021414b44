"""Upgrade of an HTTP exchange to a WebSocket: the rules for both sides (PROTOCOL.md P-2).

A proxy with weaker rules lets unchecked requests through its tunnel (WebSocket request smuggling). Here a tunnel opens
only for a valid request and a valid answer (tests/integration/gateway/test_hostile_backend.py). Heads come parsed:
header names in lower case, in order, values stripped.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ringway.errors import UpgradeError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The constant of the handshake's answer (RFC 6455, 1.3)."""

HEAD_BYTES_MAX = 16 * 1024
"""The default bound of a head, as in nginx and Node.js."""

HEADERS_MAX = 64
"""The default bound of the number of headers."""

Headers = Sequence[tuple[str, str]]

_ONCE = frozenset({"host", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-accept", "origin"})
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The content of a valid upgrade request."""

    key: str
    protocols: tuple[str, ...]
    extensions: tuple[str, ...]


def value_of(headers: Headers, name: str) -> str | None:
    """The value of the first header `name` (lower case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def tokens_of(headers: Headers, name: str) -> list[str]:
    """The comma-separated items of every header `name`, stripped, without empty items."""
    return [item.strip() for key, value in headers if key == name for item in value.split(",") if item.strip()]


def accept_for(key: str) -> str:
    """The `Sec-WebSocket-Accept` that answers `Sec-WebSocket-Key` (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


def wants_upgrade(headers: Headers) -> bool:
    """Return True if a request tries to open a WebSocket, by a correct or wrong handshake.

    An upgrade to a different protocol, such as h2c, does not count: it is ignored (RFC 9110, 7.8).
    """
    if value_of(headers, "sec-websocket-key") is not None:
        return True
    return any(item.lower().partition("/")[0] == "websocket" for item in tokens_of(headers, "upgrade"))


def check_request(method: str, version: str, headers: Headers) -> Upgrade:
    """Return the content of a handshake request; raise `UpgradeError` with the HTTP status if it breaks a rule.

    `version` is that of HTTP, such as "1.1".
    """
    if method != "GET":
        raise UpgradeError(405, f"a WebSocket handshake is a GET, not {method[:16]}", (("Allow", "GET"),))
    if version != "1.1":
        raise UpgradeError(505, f"a WebSocket handshake needs HTTP/1.1, not HTTP/{version}")
    _check_once(headers, 400)
    if not wants_upgrade(headers):
        raise UpgradeError(426, "there is nothing here but a WebSocket", (("Upgrade", "websocket"),))
    if (value_of(headers, "upgrade") or "").lower() != "websocket":
        raise UpgradeError(400, "the Upgrade header must say websocket, and nothing else")
    if "upgrade" not in (item.lower() for item in tokens_of(headers, "connection")):
        raise UpgradeError(400, "the Connection header must name upgrade")
    if not value_of(headers, "host"):
        raise UpgradeError(400, "the Host header is missing")
    if value_of(headers, "transfer-encoding") is not None or (value_of(headers, "content-length") or "0") != "0":
        raise UpgradeError(400, "a WebSocket handshake has no body")
    if value_of(headers, "sec-websocket-version") != "13":
        raise UpgradeError(426, "Sec-WebSocket-Version must be 13", (("Sec-WebSocket-Version", "13"),))
    key = value_of(headers, "sec-websocket-key") or ""
    if not _is_key(key):
        raise UpgradeError(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    protocols = tokens_of(headers, "sec-websocket-protocol")
    if any(not set(item) <= _TOKEN for item in protocols) or len(set(protocols)) != len(protocols):
        raise UpgradeError(400, "Sec-WebSocket-Protocol must list distinct tokens")
    return Upgrade(key, tuple(protocols), tuple(tokens_of(headers, "sec-websocket-extensions")))


def check_response(request: Upgrade, status: int, version: str, headers: Headers) -> None:
    """Accept the server's answer to `request`, or raise `UpgradeError` 502 that names the problem."""
    if status != 101:
        raise UpgradeError(502, f"the server answered {status} to a WebSocket handshake")
    if version != "1.1":
        raise UpgradeError(502, f"the server answered with HTTP/{version}")
    _check_once(headers, 502)
    if (value_of(headers, "upgrade") or "").lower() != "websocket":
        raise UpgradeError(502, "the server's answer upgrades to something else than websocket")
    if "upgrade" not in (item.lower() for item in tokens_of(headers, "connection")):
        raise UpgradeError(502, "the server's Connection header does not name upgrade")
    if value_of(headers, "sec-websocket-accept") != accept_for(request.key):
        raise UpgradeError(502, "the server's Sec-WebSocket-Accept does not answer the key")
    if value_of(headers, "transfer-encoding") is not None or (value_of(headers, "content-length") or "0") != "0":
        raise UpgradeError(502, "the server's answer to a handshake announces a body")
    chosen = tokens_of(headers, "sec-websocket-protocol")
    if len(chosen) > 1 or any(item not in request.protocols for item in chosen):
        raise UpgradeError(502, "the server chose a subprotocol that was not offered")
    offered = {item.split(";")[0].strip() for item in request.extensions}
    taken = [item.split(";")[0].strip() for item in tokens_of(headers, "sec-websocket-extensions")]
    if not offered.issuperset(taken) or len(set(taken)) != len(taken):
        raise UpgradeError(502, "the server chose an extension that was not offered, or one twice")


def _is_key(key: str) -> bool:
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _check_once(headers: Headers, status: int) -> None:
    seen: set[str] = set()
    for name, _ in headers:
        if name in _ONCE and name in seen:
            raise UpgradeError(status, f"the header {name} stands twice")
        seen.add(name)
