"""The ASGI application of an API port: it finds the operation, guards it, decodes its input, encodes its answer.

An error answer is `{"status_code", "detail"}`, with `extra` if single values were wrong; a port may have another form.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ringway.api.operation import JSON, ApiRefusal, ApiRequest, BodyNotJson, Guard, Operation, WithStatus
from ringway.errors import ConfigError
from ringway.protocol.wrong_field import find_wrong_fields, names_of_fields, why_wrong

BODY_BYTES_MAX = 10_000_000

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ShowRefusal = Callable[[ApiRefusal], Mapping[str, Any]]
"""Returns the body of the answer for a refusal."""


def show_detail(refused: ApiRefusal) -> Mapping[str, Any]:
    """Return status, detail, and the wrong values if there are any."""
    said: dict[str, Any] = {"status_code": refused.status, "detail": refused.detail}
    return said | {"extra": refused.extra} if refused.extra else said


class ApiApp:
    """Carries out `operations`. The `guards` check every request that has an operation."""

    def __init__(
        self,
        operations: Sequence[Operation],
        guards: Sequence[Guard],
        *,
        show: ShowRefusal = show_detail,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self._guards = guards
        self._show = show
        self._body_bytes_max = body_bytes_max
        self._paths: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            self._paths.setdefault(operation.path, {})[operation.method] = operation
        self._patterns = [tuple(path.strip("/").split("/")) for path in self._paths if "{" in path]

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI 3.0 passes it."""
        headers: dict[str, str] = {}
        methods: Mapping[str, Operation] = {}
        try:
            request = await _read_request(scope, receive, self._body_bytes_max)
            methods, values = self._find(request.path)
            status, media_type, body = await self._answer(request, methods, values)
        except ApiRefusal as refused:
            headers |= refused.headers
            status, media_type, body = refused.status, JSON, msgspec.json.encode(self._show(refused))
        if status == 405 or scope["method"] == "OPTIONS":
            headers["allow"] = ", ".join([*methods, "OPTIONS"])
        if media_type:
            text = "; charset=utf-8" if media_type.startswith("text/") else ""
            headers |= {"content-type": f"{media_type}{text}", "content-length": str(len(body))}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _find(self, path: str) -> tuple[dict[str, Operation], dict[str, str]]:
        """Return the operations at `path` by method, and the parts of the path that have names.

        Repeated slashes and a last slash are ignored.
        """
        parts = tuple(filter(None, path.split("/")))
        found = self._paths.get("/" + "/".join(parts))
        if found is not None:
            return found, {}
        for pattern in self._patterns:
            if len(pattern) == len(parts) and all(
                mine.startswith("{") or mine == given for mine, given in zip(pattern, parts, strict=True)
            ):
                values = {
                    mine.strip("{}"): given for mine, given in zip(pattern, parts, strict=True) if mine.startswith("{")
                }
                return self._paths["/" + "/".join(pattern)], values
        raise ApiRefusal(404, "Not Found")

    async def _answer(
        self, request: ApiRequest, methods: Mapping[str, Operation], values: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer; an empty media type means no body."""
        operation = methods.get(request.method)
        if operation is None and request.method != "OPTIONS":
            raise ApiRefusal(405, "Method Not Allowed")
        for guard in (*self._guards, *(operation.guards if operation else ())):
            guard(request)
        if operation is None:
            return 204, "", b""
        try:
            value = operation.run(**values, **_arguments(operation, request))
            if inspect.isawaitable(value):
                value = await value
        except ConfigError as error:
            raise ApiRefusal(400, str(error)) from None
        except ApiRefusal:
            raise
        except Exception as error:
            message = f"{operation.method} {operation.path} failed"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
            raise ApiRefusal(500, "Internal Server Error") from None
        status, value = (value.status, value.value) if isinstance(value, WithStatus) else (operation.success, value)
        if status == 204:
            return status, "", b""
        return status, operation.media_type, value if isinstance(value, bytes) else msgspec.json.encode(value)


async def _read_request(scope: Mapping[str, Any], receive: Receive, body_bytes_max: int) -> ApiRequest:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > body_bytes_max:
            raise ApiRefusal(413, "Request Entity Too Large")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query, client = scope["query_string"].decode("latin-1"), scope.get("client")
    peer = str(client[0]) if client else ""
    return ApiRequest(scope["method"], scope["path"], query, headers, bytes(body), peer)


def _arguments(operation: Operation, request: ApiRequest) -> dict[str, Any]:
    """Return the arguments for `operation.run`; raise `ApiRefusal` if the request cannot be read."""
    query = f"?{request.query}" if request.query else ""
    failed = f"Validation failed for {request.method} {request.path}{query}"
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    arguments: dict[str, Any] = {}
    wrong = [] if request.method == "GET" or not given else _unknown_parameters(operation, given)
    for parameter in operation.parameters:
        value = given.get(parameter.name, parameter.default)
        if why := why_wrong(value, parameter.type):
            wrong.append({"message": why, "key": parameter.name, "source": "query"})
        else:
            arguments[parameter.name] = msgspec.convert(value, parameter.type, strict=False)
    if wrong:
        raise ApiRefusal(400, failed, tuple(wrong))
    if operation.decode_as is bytes:
        arguments["data"] = request.body
    elif operation.body is not None:
        body = request.body or (b"{}" if operation.body_optional else b"")
        if not body:
            why = f"the body is empty; send a JSON object with the fields {names_of_fields(operation.body)}"
            raise ApiRefusal(400, failed, ({"message": why, "key": "data", "source": "body"},))
        arguments["data"] = _decode_body(operation.decode_as or operation.body, body, failed)
    return arguments


def _unknown_parameters(operation: Operation, given: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return the parameters of a change that it does not have: without them it would change something else, or more."""
    known = [parameter.name for parameter in operation.parameters]
    if known:
        there = f"there are {', '.join(known)}"
    elif operation.body is not None:
        there = f"send it in the body, which has the fields {names_of_fields(operation.body)}"
    else:
        there = "there is none; leave it out"
    return [
        {"message": f"there is no such parameter; {there}", "key": name, "source": "query"}
        for name in given
        if name not in known
    ]


def _decode_body(kind: type, body: bytes, failed: str) -> Any:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyNotJson(error) from None
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        wrong = find_wrong_fields(value, kind)
        raise ApiRefusal(
            400, failed, tuple({"message": why, "key": name, "source": "body"} for name, why in wrong)
        ) from None
