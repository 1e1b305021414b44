"""Calls of backends: each method with its types and its function, alone or in a batch."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ringway.errors import CommandError, EngineError, ProtocolError
from ringway.node.commands.errors import engine_failed
from ringway.node.server_api.publishing import error_of
from ringway.node.server_api.stats import ServerApiStats
from ringway.protocol.decoding import reader
from ringway.protocol.errorcode import BAD_REQUEST, METHOD_NOT_FOUND, command_error
from ringway.protocol.server_api import CallError


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """A method of the API. `run` gets a `request`, and returns what is described as `result`.

    It may raise `CommandError`, `EngineError` or `TimeoutError`.
    """

    name: str
    summary: str
    request: type[msgspec.Struct]
    result: type[msgspec.Struct]
    run: Callable[[Any], Awaitable[msgspec.Struct]]


class ApiCalls:
    """Carries out calls of `methods`, and counts their outcomes."""

    def __init__(self, methods: Sequence[ApiMethod], stats: ServerApiStats) -> None:
        self.methods: Mapping[str, ApiMethod] = {method.name: method for method in methods}
        self._readers = {
            method.name: reader(msgspec.json.Decoder(method.request).decode, "the body") for method in methods
        }
        self._stats = stats

    def read(self, method: str, body: bytes) -> Any:
        """Return the request in `body`: an object of JSON, or nothing. Raise `CommandError` 107 for any other body."""
        try:
            return self._readers[method](body or b"{}")
        except ProtocolError as error:
            self.count(method, BAD_REQUEST)
            raise command_error(BAD_REQUEST, str(error)) from None

    async def call(self, method: str, request: Any) -> msgspec.Struct:
        """Return the result of one call, or its `CallError`."""
        try:
            result = await self.methods[method].run(request)
        except CommandError as error:
            refused = error_of(error)
        except (EngineError, TimeoutError) as error:
            refused = error_of(engine_failed(error))
        else:
            self.count(method, "ok")
            return result
        self.count(method, refused.code)
        return refused

    async def call_named(self, command: Mapping[str, msgspec.Raw]) -> tuple[str, msgspec.Struct]:
        """Return the method of a batch's command, and its result or `CallError`."""
        known = [name for name in command if name in self.methods]
        if len(known) != 1 or len(command) != 1:
            self.count("unknown", METHOD_NOT_FOUND)
            there = ", ".join(self.methods)
            said = ", ".join(name[:40] for name in list(command)[:5]) or "none"
            return "", error_of(command_error(METHOD_NOT_FOUND, f"a command names {said}; it names one of {there}"))
        method = known[0]
        try:
            request = self.read(method, bytes(command[method]))
        except CommandError as error:
            return method, error_of(error)
        return method, await self.call(method, request)

    def count(self, method: str, outcome: int | str) -> None:
        """Count the outcome of a call."""
        self._stats.calls[method, str(outcome)] += 1


def encode_reply(result: msgspec.Struct) -> bytes:
    """Return the body of the answer to one call."""
    return _encode({"error": result} if isinstance(result, CallError) else {"result": result})


def encode_in_batch(method: str, result: msgspec.Struct) -> bytes:
    """Return the reply to one command of a batch."""
    return _encode({"error": result} if isinstance(result, CallError) else {method: result})


_encode = msgspec.json.Encoder().encode
