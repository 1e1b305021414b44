"""Asks an ASGI application without a socket."""

import json
from typing import Any
from urllib.parse import quote


async def ask(app: Any, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return the status and the answer, decoded where it is JSON. Names of `headers` are written with `_` for `-`."""
    status, answer, _ = await ask_whole(app, method, target, body, **headers)
    return status, answer


async def ask_whole(
    app: Any, method: str, target: str, body: Any = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Return the headers of the answer as well."""
    path, _, query = target.partition("?")
    sent = {"host": "127.0.0.1:8001", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        sent.setdefault("content-type", "application/json")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": quote(query, safe="=&%").encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8001),
    }  # fmt: skip
    answer: dict[str, Any] = {}
    answered = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.update(message)
        else:
            answered.extend(message.get("body", b""))

    await app(scope, receive, send)
    text = answered.decode()
    said = {name.decode(): value.decode() for name, value in answer["headers"]}
    return answer["status"], json.loads(text) if text.startswith(("{", "[")) else text, said
