"""HTTP form of the server API: a path for each method, who may call, and the form of answers (PROTOCOL.md P-13).

A call that was understood is answered with 200, with `result` or `error`. Requests that are no call have the other
statuses, and the same form of error.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from ringway.api.application import ApiApp
from ringway.api.document import show_document
from ringway.api.operation import ApiRefusal, Guard, Operation
from ringway.errors import CommandError, ProtocolError
from ringway.node.server_api.batch import run_batch
from ringway.node.server_api.calls import ApiCalls, ApiMethod, encode_reply
from ringway.node.server_api.publishing import error_of
from ringway.node.server_api.stats import ServerApiStats
from ringway.protocol.decoding import reader
from ringway.protocol.errorcode import BAD_REQUEST, INTERNAL, LIMIT_EXCEEDED, METHOD_NOT_FOUND, UNAUTHORIZED
from ringway.protocol.server_api import PATH, BatchRequest, BatchResult, CallError

TITLE = "Ringway server API"
DOCUMENT = f"{PATH}/openapi.json"

_CODES = {401: UNAUTHORIZED, 404: METHOD_NOT_FOUND, 413: LIMIT_EXCEEDED, 500: INTERNAL}

_REFUSAL = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}

_UNAUTHORIZED = (401, "No key, or an unknown key")


def build_server_api(
    methods: Sequence[ApiMethod],
    stats: ServerApiStats,
    guards: Sequence[Guard],
    version: str,
    *,
    body_bytes_max: int,
    commands_max: int,
) -> ApiApp:
    """Return the ASGI application of the API."""
    calls = ApiCalls(methods, stats)
    operations = [_operation(method, partial(_answer, calls, method.name)) for method in methods]
    operations.append(_batch_operation(calls, commands_max))
    document = show_document(operations, TITLE, version, DOCUMENT, refusal=_REFUSAL)

    def show(refused: ApiRefusal) -> Mapping[str, Any]:
        stats.refused[refused.status] += 1
        return {"error": CallError(_CODES.get(refused.status, BAD_REQUEST), _words(refused, body_bytes_max))}

    return ApiApp([*operations, *document], guards, show=show, body_bytes_max=body_bytes_max)


def _operation(method: ApiMethod, run: Callable[..., Awaitable[bytes]]) -> Operation:
    name = "".join(word.capitalize() for word in method.name.split("_"))
    reply = msgspec.defstruct(
        f"{name}Reply", [("error", CallError | None, None), ("result", method.result | None, None)]
    )
    return Operation(
        "POST", f"{PATH}/{method.name}", method.name, method.summary, run, reply,
        body=method.request, decode_as=bytes, statuses=(_UNAUTHORIZED,),
    )  # fmt: skip


def _batch_operation(calls: ApiCalls, commands_max: int) -> Operation:
    read_batch = reader(msgspec.json.Decoder(BatchRequest).decode, "the body")

    async def run(data: bytes) -> bytes:
        try:
            request = read_batch(data or b"{}")
        except ProtocolError as error:
            calls.count("batch", BAD_REQUEST)
            raise ApiRefusal(400, f"bad request: {error}") from None
        try:
            result = await run_batch(calls, commands_max, request)
        except CommandError as error:
            calls.count("batch", error.code)
            return encode_reply(error_of(error))
        calls.count("batch", "ok")
        return msgspec.json.encode(result)

    return Operation(
        "POST", f"{PATH}/batch", "batch", "Carry out several commands", run, BatchResult,
        body=BatchRequest, decode_as=bytes, statuses=(_UNAUTHORIZED,),
    )  # fmt: skip


async def _answer(calls: ApiCalls, method: str, data: bytes) -> bytes:
    try:
        request = calls.read(method, data)
    except CommandError as error:
        raise ApiRefusal(400, error_of(error).message) from None
    return encode_reply(await calls.call(method, request))


def _words(refused: ApiRefusal, body_bytes_max: int) -> str:
    if refused.status == 404:
        return f"method not found: methods are at {PATH}/METHOD, as {PATH}/publish; {DOCUMENT} names them all"
    if refused.status == 405:
        return "bad request: methods are called with POST"
    if refused.status == 413:
        return f"limit exceeded: a body has at most {body_bytes_max} bytes (http_api.body_bytes_max); send less"
    values = "; ".join(f"{value['key']}: {value['message']}" for value in refused.extra)
    return f"{refused.detail}: {values}" if values else refused.detail
