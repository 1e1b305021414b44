"""Calls over core NATS (`ports.Bus`).

<prefix>.call.<address>    a request to one of its servers (they share a queue group)
<prefix>.gather.<address>  a request to all of its servers

An answer goes to the caller's inbox (`inbox`); its first byte is `+`, or `-` if the handler failed.
"""

import asyncio
from contextlib import suppress

from ringway.engine.address import token
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import NO_RESPONDERS
from ringway.engine.nats.inbox import NatsInbox
from ringway.engine.nats.subscription import SHARED_QUEUE, SubjectSubscription
from ringway.engine.request_handler import RequestHandler
from ringway.errors import EngineAway, NoAnswer
from ringway.ports import Handler

ANSWERED, FAILED = b"+", b"-"


class _Query:
    """A request under way, and the answers to it so far."""

    __slots__ = ("_expected", "answers", "failures", "settled")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self.settled = asyncio.get_running_loop().create_future()

    def add_answer(self, header: bytes, payload: bytes) -> None:
        """Add an answer, or NATS's message that the address has no server."""
        if header.startswith(NO_RESPONDERS):
            self.failures.append("nobody serves it")
            self.settle()
            return
        if payload[:1] == ANSWERED:
            self.answers.append(payload[1:])
        else:
            self.failures.append(payload[1:].decode(errors="replace"))
        if self._expected and len(self.answers) + len(self.failures) >= self._expected:
            self.settle()

    def settle(self) -> None:
        """Stop waiting for answers."""
        if not self.settled.done():
            self.settled.set_result(None)


class NatsServing:
    """An address served over NATS (`ports.Serving`)."""

    def __init__(
        self, connection: NatsConnection, prefix: str, inbox: NatsInbox, address: str, handler: Handler
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._handler = RequestHandler(address, handler)
        self._sids = [
            connection.subscribe(
                SubjectSubscription(f"{prefix}.call.{token(address)}", self._on_request, SHARED_QUEUE)
            ),
            connection.subscribe(SubjectSubscription(f"{prefix}.gather.{token(address)}", self._on_request)),
        ]

    def _on_request(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        asker = reply.decode(errors="replace")

        def answer(answered: bool, data: bytes) -> None:
            if not self._inbox.is_address(reply):
                return  # a stranger has asked; a wrong subject would make the server end the connection
            with suppress(EngineAway):  # the asker has a deadline
                self._connection.send(asker, (ANSWERED if answered else FAILED) + data)

        self._handler.start_request(payload, answer)

    async def close(self) -> None:
        """Stop serving the address, and wait for the requests in work."""
        sids, self._sids = self._sids, []
        for sid in sids:
            self._connection.unsubscribe(sid)
        if sids and self._connection.up:
            with suppress(EngineAway):
                await self._connection.outbox.processed()  # from then on NATS answers callers that there is no server
        await self._handler.close()


class NatsBus:
    """Sends and answers requests over NATS."""

    def __init__(self, connection: NatsConnection, prefix: str, inbox: NatsInbox) -> None:
        self._connection = connection
        self._prefix = prefix
        self._inbox = inbox
        self._servings: set[NatsServing] = set()

    async def serve(self, address: str, handler: Handler) -> NatsServing:
        """Answer requests: at once, or after NATS's return if it is away."""
        serving = NatsServing(self._connection, self._prefix, self._inbox, address, handler)
        self._servings.add(serving)
        if self._connection.up:
            with suppress(EngineAway):
                await self._connection.outbox.processed()
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one server. Raise `NoAnswer`, at once without a server, or `EngineAway`."""
        query = await self._ask(f"{self._prefix}.call.{token(address)}", request, timeout_s, 1)
        if query.answers:
            return query.answers[0]
        if query.failures:
            raise NoAnswer(f"call to {address}: {query.failures[0]}")
        raise NoAnswer(f"call to {address}: no answer within {timeout_s} s", timed_out=True)

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers that came. With `expected` 0 it ends by the deadline, or at once without a server."""
        query = await self._ask(f"{self._prefix}.gather.{token(address)}", request, timeout_s, expected)
        return query.answers

    async def _ask(self, subject: str, request: bytes, timeout_s: float, expected: int) -> _Query:
        query = _Query(expected)
        address = self._inbox.open(query.add_answer)
        try:
            self._connection.send(subject, request, address)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await query.settled
        finally:
            self._inbox.close(address)
        return query

    async def close(self) -> None:
        """Stop serving."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
        self._servings.clear()
