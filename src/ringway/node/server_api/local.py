"""Server API in the process of a node: the same calls as over HTTP, without a key and a connection."""

from collections.abc import Sequence

import msgspec

from ringway.errors import CommandError
from ringway.node.server_api.batch import run_batch
from ringway.node.server_api.calls import ApiCalls, ApiMethod, encode_reply
from ringway.node.server_api.publishing import error_of
from ringway.node.server_api.stats import ServerApiStats
from ringway.protocol.errorcode import METHOD_NOT_FOUND, command_error
from ringway.protocol.server_api import BatchRequest
from ringway.server_methods import ServerMethods


class LocalServer(ServerMethods):
    """Calls `methods` of this node. A batch has at most `commands_max` commands."""

    def __init__(self, methods: Sequence[ApiMethod], commands_max: int) -> None:
        self._calls = ApiCalls(methods, ServerApiStats())
        self._commands_max = commands_max

    async def call(self, method: str, body: bytes, *, may_repeat: bool) -> bytes:
        """Return the answer to a request, both as JSON (`ServerMethods.call`)."""
        if method == "batch":
            return await self._batch(body)
        if method not in self._calls.methods:
            return encode_reply(error_of(command_error(METHOD_NOT_FOUND, f"there is no method {method}")))
        try:
            request = self._calls.read(method, body)
        except CommandError as error:
            return encode_reply(error_of(error))
        return encode_reply(await self._calls.call(method, request))

    async def _batch(self, body: bytes) -> bytes:
        request = msgspec.json.decode(body, type=BatchRequest)
        return msgspec.json.encode(await run_batch(self._calls, self._commands_max, request))
