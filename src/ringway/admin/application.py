"""The ASGI application of the admin port: finds the operation, guards it, decodes what it needs, encodes its answer.

Every answer with an error is `{"status_code", "detail"}`, with `extra` where single values were wrong.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ringway.admin.operation import JSON, AdminRefusal, AdminRequest, Guard, Operation, WithStatus
from ringway.errors import ConfigError

BODY_BYTES_MAX = 10_000_000

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_AT = re.compile(r"(?P<message>.*) - at `\$\.(?P<key>[^`]*)`", re.DOTALL)


class AdminApp:
    """Carries out `operations`. `guards` are asked before every request that has an operation."""

    def __init__(self, operations: Sequence[Operation], guards: Sequence[Guard]) -> None:
        self._guards = guards
        self._paths: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            self._paths.setdefault(operation.path, {})[operation.method] = operation

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """WithStatus one request, as ASGI 3.0 hands it over."""
        headers: dict[str, str] = {}
        methods: Mapping[str, Operation] = {}
        try:
            request = await _read_request(scope, receive)
            methods = self._methods_at(request.path)
            status, media_type, body = await self._answer(request, methods)
        except AdminRefusal as refused:
            said: dict[str, Any] = {"status_code": refused.status, "detail": refused.detail}
            if refused.extra:
                said["extra"] = refused.extra
            status, media_type, body = refused.status, JSON, msgspec.json.encode(said)
        if status in (204, 405):
            headers["allow"] = ", ".join([*methods, "OPTIONS"])
        if media_type:
            text = "; charset=utf-8" if media_type.startswith("text/") else ""
            headers |= {"content-type": f"{media_type}{text}", "content-length": str(len(body))}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _methods_at(self, path: str) -> dict[str, Operation]:
        """Return the operations at `path`, by method. A path may have more slashes than it needs."""
        found = self._paths.get("/" + "/".join(filter(None, path.split("/"))))
        if found is None:
            raise AdminRefusal(404, "Not Found")
        return found

    async def _answer(self, request: AdminRequest, methods: Mapping[str, Operation]) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer; without a media type there is no body."""
        operation = methods.get(request.method)
        if operation is None and request.method != "OPTIONS":
            raise AdminRefusal(405, "Method Not Allowed")
        for guard in (*self._guards, *(operation.guards if operation else ())):
            guard(request)
        if operation is None:
            return 204, "", b""
        try:
            value = operation.run(**_arguments(operation, request))
            if inspect.isawaitable(value):
                value = await value
        except ConfigError as error:
            raise AdminRefusal(400, str(error)) from None
        except AdminRefusal:
            raise
        except Exception as error:
            message = f"{operation.method} {operation.path} of the admin port failed"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
            raise AdminRefusal(500, "Internal Server Error") from None
        status, value = (value.status, value.value) if isinstance(value, WithStatus) else (200, value)
        return status, operation.media_type, value if isinstance(value, bytes) else msgspec.json.encode(value)


async def _read_request(scope: Mapping[str, Any], receive: Receive) -> AdminRequest:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            raise AdminRefusal(413, "Request Entity Too Large")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return AdminRequest(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, bytes(body))


def _arguments(operation: Operation, request: AdminRequest) -> dict[str, Any]:
    """Return what `operation` is run with; raise `AdminRefusal` where it cannot be read."""
    query = f"?{request.query}" if request.query else ""
    failed = f"Validation failed for {request.method} {request.path}{query}"
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    arguments: dict[str, Any] = {}
    for parameter in operation.parameters:
        try:
            value = given.get(parameter.name, parameter.default)
            arguments[parameter.name] = msgspec.convert(value, parameter.type, strict=False)
        except msgspec.ValidationError as error:
            raise AdminRefusal(
                400, failed, ({"message": str(error), "key": parameter.name, "source": "query"},)
            ) from None
    if operation.body is not None:
        arguments["data"] = _decode_body(operation.body, request.body, failed)
    return arguments


def _decode_body(kind: type, body: bytes, failed: str) -> Any:
    if not body:
        raise AdminRefusal(400, failed, ({"message": "the body is empty", "key": "data", "source": "body"},))
    try:
        return msgspec.convert(msgspec.json.decode(body), kind, strict=False)
    except msgspec.ValidationError as error:
        found = _AT.fullmatch(str(error))
        message, key = found.group("message", "key") if found else (str(error), "data")
        raise AdminRefusal(400, failed, ({"message": message, "key": key, "source": "body"},)) from None
    except msgspec.DecodeError as error:
        raise AdminRefusal(400, str(error)) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise AdminRefusal(400, f"the request cannot be read: {error}") from None
