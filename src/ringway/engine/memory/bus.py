"""Calls between the members of the memory engine; see `ports.Bus`."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from ringway.engine.memory.connection import MemoryConnection
from ringway.engine.request_handler import RequestHandler
from ringway.errors import NoAnswer
from ringway.ports import Handler

Served = dict[str, list[RequestHandler]]
"""The handlers of each address, those of all members; the handler that has served longest is first."""


@dataclass
class _Answers:
    """The answers to one request, as they arrive."""

    expected: int
    answers: list[bytes] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def add_answer(self, answered: bool, answer: bytes) -> None:
        (self.answers if answered else self.failures).append(answer)
        if len(self.answers) + len(self.failures) >= self.expected:
            self.complete.set()


class MemoryServing:
    """An address that is served in this process; see `ports.Serving`."""

    def __init__(self, served: Served, address: str, handler: Handler) -> None:
        self._served = served
        self._address = address
        self._handler = RequestHandler(address, handler)
        self._served.setdefault(address, []).append(self._handler)

    async def close(self) -> None:
        """End the service of the address, and wait for the requests in work."""
        handlers = self._served.get(self._address, [])
        if self._handler in handlers:
            handlers.remove(self._handler)
        if not handlers:
            self._served.pop(self._address, None)
        await self._handler.close()


class MemoryBus:
    """A member's bus. `served` is shared by the buses of all members."""

    def __init__(self, connection: MemoryConnection, served: Served) -> None:
        self._connection = connection
        self._served = served
        self._servings: list[MemoryServing] = []

    async def serve(self, address: str, handler: Handler) -> MemoryServing:
        """Answer requests of every member, this member included."""
        serving = MemoryServing(self._served, address, handler)
        self._servings.append(serving)
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of the server that has served `address` longest."""
        handlers = self._served.get(address, [])[:1]
        received = await self._send_request(handlers, request, timeout_s, 1)
        if not handlers:
            raise NoAnswer(f"nobody serves {address}")
        if received.failures:
            raise NoAnswer(f"{address} failed to answer: {received.failures[0].decode(errors='replace')}")
        if not received.answers:
            raise NoAnswer(f"{address} did not answer within {timeout_s} s", timed_out=True)
        return received.answers[0]

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers of all servers; with `expected` 0, wait for all of them."""
        received = await self._send_request(self._served.get(address, []), request, timeout_s, expected)
        return received.answers

    async def _send_request(
        self, handlers: list[RequestHandler], request: bytes, timeout_s: float, expected: int
    ) -> _Answers:
        self._connection.require()
        received = _Answers(min(expected or len(handlers), len(handlers)))
        for handler in handlers:
            handler.start_request(request, received.add_answer)
        if handlers:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await received.complete.wait()
        return received

    async def close(self) -> None:
        """Stop serving all addresses. Idempotent."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
