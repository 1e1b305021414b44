"""Responses of HTTP/1.1 that gateway and node write themselves, as bytes."""

import http
import json
import math
from collections.abc import Sequence

from ringway.errors import NoNode, SessionUnknown, UpgradeError

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}

_NO_STORE = ("Cache-Control", "no-store")

REFUSED = "ringway-refused"
"""The header, in lower case, in which a node names the cause of a refusal."""

ERROR_SHOWN_MAX = 200
"""Characters of a foreign error that are shown."""


def response(status: int, body: bytes, *headers: tuple[str, str], close: bool = False) -> bytes:
    """Return a whole JSON response; `close` announces that the connection ends with it."""
    return _whole(status, "application/json", body, headers, close)


def content(kind: str, body: bytes, *headers: tuple[str, str], close: bool = False) -> bytes:
    """Return a whole response with `body`, of the media type `kind`."""
    return _whole(200, kind, body, headers, close)


def carried(status: int, body: bytes, *headers: tuple[str, str]) -> bytes:
    """Return a backend's response, to be passed on with its own `headers`; the connection ends with it."""
    return _whole(status, "", body, headers, close=True)


def _whole(status: int, kind: str, body: bytes, headers: Sequence[tuple[str, str]], close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n"]
    if kind:
        lines.append(f"Content-Type: {kind}\r\n")
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    upgrade = any(name == "Upgrade" for name, _ in headers)  # this header is about the connection (RFC 9110, 7.8)
    if close:
        lines.append("Connection: Upgrade, close\r\n" if upgrade else "Connection: close\r\n")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "".join(lines).encode("latin-1") + body


def answer_to(method: str, whole: bytes) -> bytes:
    """Return the part of the response `whole` that answers `method`: HEAD gets no body (RFC 9110, 9.3.2)."""
    return whole[: whole.index(b"\r\n\r\n") + 4] if method == "HEAD" else whole


def error_response(error: UpgradeError, *, close: bool) -> bytes:
    """Return the response with the reason of a refusal; it must not be cached."""
    body = error.body if isinstance(error, SessionUnknown) else error_body(str(error))
    return response(error.status, body, _NO_STORE, *error.headers, close=close)


def node_refusal(error: UpgradeError) -> bytes:
    """Return the response of a node, which names to gateways what was wrong (PROTOCOL.md P-2.4.2)."""
    cause = ("Ringway-Refused", error.cause)
    return response(error.status, error_body(str(error)), _NO_STORE, cause, *error.headers, close=True)


def error_body(message: str) -> bytes:
    """Return `{"error": message}`."""
    return json.dumps({"error": message}).encode()


def read_error(body: bytes) -> str:
    """Return the error in the body of a refusal, cut; empty if it is not in that form."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return error[:ERROR_SHOWN_MAX] if isinstance(error, str) else ""


def retry_after(pause_s: float) -> str:
    """Return the header's value: `pause_s`, rounded up to whole seconds."""
    return str(max(1, math.ceil(pause_s)))


def no_node(error: NoNode, pause_s: float, window_ms: int = 0, *, close: bool) -> bytes:
    """Return the 503 with the time to come again, and the window to spread over (0: no window)."""
    return come_again(503, str(error), pause_s, window_ms, close=close)


def come_again(status: int, message: str, pause_s: float, window_ms: int = 0, *, close: bool) -> bytes:
    """Return a refusal with the time to come again."""
    said: dict[str, str | int] = {"error": message, "wait_ms": math.ceil(1000 * pause_s)}
    if window_ms:
        said["reconnect_window_ms"] = window_ms
    headers = (("Retry-After", retry_after(pause_s)), _NO_STORE)
    return response(status, json.dumps(said).encode(), *headers, close=close)
