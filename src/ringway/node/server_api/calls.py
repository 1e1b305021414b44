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
from ringway.protocol.errorcode import BAD_REQUEST, command_error
from ringway.protocol.server_api import CallError


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """A method of the API. `run` gets a `request`, and returns what is described as `result`.

    It may raise `CommandError`, `EngineError` or `TimeoutError`. `run_many`, if there is one, does the same for several
    requests at once, in their order, and raises nothing.
    """

    name: str
    summary: str
    request: type[msgspec.Struct]
    result: type[msgspec.Struct]
    run: Callable[[Any], Awaitable[msgspec.Struct]]
    run_many: Callable[[Sequence[Any]], Awaitable[Sequence[msgspec.Struct | CommandError]]] | None = None


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
            return self._refusal(method, error)
        except (EngineError, TimeoutError) as error:
            return self._refusal(method, engine_failed(error))
        self.count(method, "ok")
        return result

    async def call_each(self, method: str, requests: Sequence[Any]) -> list[msgspec.Struct]:
        """Return the results of calls of one method, or their `CallError`s, in their order: together if it can."""
        run_many = self.methods[method].run_many
        if run_many is None:
            return [await self.call(method, request) for request in requests]
        results: list[msgspec.Struct] = []
        for outcome in await run_many(requests):
            if isinstance(outcome, CommandError):
                results.append(self._refusal(method, outcome))
            else:
                self.count(method, "ok")
                results.append(outcome)
        return results

    def method_of(self, command: Mapping[str, msgspec.Raw]) -> str:
        """Return the method that a command of a batch names; '' if it names none, or several."""
        if len(command) != 1:
            return ""
        (name,) = command
        return name if name in self.methods else ""

    def _refusal(self, method: str, error: CommandError) -> CallError:
        self.count(method, error.code)
        return error_of(error)

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
