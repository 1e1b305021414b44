"""Responses of HTTP/1.1 that gateway and node give themselves, as bytes."""

import http
import json
import math
from collections.abc import Sequence

from ringway.errors import NoNode, UpgradeError

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}

_NO_STORE = ("Cache-Control", "no-store")


def response(status: int, body: bytes, *headers: tuple[str, str], close: bool = False) -> bytes:
    """Return a whole JSON response; `close` announces that the connection ends with it."""
    return _whole(status, "application/json", body, headers, close)


def content(kind: str, body: bytes, *headers: tuple[str, str], close: bool = False) -> bytes:
    """Return a whole response that holds `body`, which is of the media type `kind`."""
    return _whole(200, kind, body, headers, close)


def carried(status: int, body: bytes, *headers: tuple[str, str]) -> bytes:
    """Return a response of another server, to be passed on with its own `headers`; the connection ends with it."""
    return _whole(status, "", body, headers, close=True)


def _whole(status: int, kind: str, body: bytes, headers: Sequence[tuple[str, str]], close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n"]
    if kind:
        lines.append(f"Content-Type: {kind}\r\n")
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    upgrade = any(name == "Upgrade" for name, _ in headers)  # which belongs to the connection (RFC 9110, 7.8)
    if close:
        lines.append("Connection: Upgrade, close\r\n" if upgrade else "Connection: close\r\n")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "".join(lines).encode("latin-1") + body


def answer_to(method: str, whole: bytes) -> bytes:
    """Return the part of the response `whole` that answers `method`: HEAD gets no body (RFC 9110, 9.3.2)."""
    return whole[: whole.index(b"\r\n\r\n") + 4] if method == "HEAD" else whole


def error_response(error: UpgradeError, *, close: bool) -> bytes:
    """Return the response that tells a client why its request was refused; it must not be cached."""
    return response(error.status, error_body(str(error)), _NO_STORE, *error.headers, close=close)


def error_body(message: str) -> bytes:
    """Return `{"error": message}`."""
    return json.dumps({"error": message}).encode()


def retry_after(pause_s: float) -> str:
    """Return the header's value: whole seconds, never earlier than said."""
    return str(max(1, math.ceil(pause_s)))


def no_node(error: NoNode, pause_s: float, window_ms: int = 0, *, close: bool) -> bytes:
    """Return the 503 that says when to come again, and the window to spread over (0: no window)."""
    return come_again(503, str(error), pause_s, window_ms, close=close)


def come_again(status: int, message: str, pause_s: float, window_ms: int = 0, *, close: bool) -> bytes:
    """Return a refusal that says when to come again."""
    said: dict[str, str | int] = {"error": message, "wait_ms": math.ceil(1000 * pause_s)}
    if window_ms:
        said["reconnect_window_ms"] = window_ms
    headers = (("Retry-After", retry_after(pause_s)), _NO_STORE)
    return response(status, json.dumps(said).encode(), *headers, close=close)
