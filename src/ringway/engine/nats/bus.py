"""Calls over core NATS (`ports.Bus`).

<prefix>.call.<address>           a request to one of its servers (they share a queue group)
<prefix>.gather.<address>         a request to all of its servers
<prefix>.inbox.<caller>.<number>  an answer; its first byte is `+`, or `-` if the handler failed
"""

import asyncio
import itertools
import secrets
from contextlib import suppress

from ringway.engine.address import token
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import NO_RESPONDERS
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
        """Add an answer, or NATS's message that nobody serves the address."""
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
        """Wait for no more answers."""
        if not self.settled.done():
            self.settled.set_result(None)


class NatsServing:
    """An address served over NATS (`ports.Serving`)."""

    def __init__(self, connection: NatsConnection, prefix: str, address: str, handler: Handler) -> None:
        self._connection = connection
        self._handler = RequestHandler(address, handler)
        self._sids = [
            connection.subscribe(
                SubjectSubscription(f"{prefix}.call.{token(address)}", self._on_request, SHARED_QUEUE)
            ),
            connection.subscribe(SubjectSubscription(f"{prefix}.gather.{token(address)}", self._on_request)),
        ]

    def _on_request(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        asker = reply.decode()

        def answer(answered: bool, data: bytes) -> None:
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
                await self._connection.outbox.processed()  # from then on NATS answers callers that nobody serves
        await self._handler.close()


class NatsBus:
    """Asks and answers over NATS. One subscription receives the answers to all queries of this process."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._inbox = f"{prefix}.inbox.{secrets.token_hex(8)}"
        self._numbers = itertools.count(1)
        self._queries: dict[bytes, _Query] = {}
        self._servings: set[NatsServing] = set()
        connection.subscribe(SubjectSubscription(f"{self._inbox}.*", self._on_answer))

    async def serve(self, address: str, handler: Handler) -> NatsServing:
        """Answer requests: at once, or after NATS's return if it is away."""
        serving = NatsServing(self._connection, self._prefix, address, handler)
        self._servings.add(serving)
        if self._connection.up:
            with suppress(EngineAway):
                await self._connection.outbox.processed()
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one server. Raise `NoAnswer`, at once if nobody serves, or `EngineAway`."""
        query = await self._ask(f"{self._prefix}.call.{token(address)}", request, timeout_s, 1)
        if query.answers:
            return query.answers[0]
        reason = query.failures[0] if query.failures else f"no answer within {timeout_s} s"
        raise NoAnswer(f"call to {address}: {reason}")

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers that came. With `expected` 0 it ends by the deadline, or if nobody serves."""
        query = await self._ask(f"{self._prefix}.gather.{token(address)}", request, timeout_s, expected)
        return query.answers

    async def _ask(self, subject: str, request: bytes, timeout_s: float, expected: int) -> _Query:
        query = _Query(expected)
        number = b"%d" % next(self._numbers)
        self._queries[number] = query
        try:
            self._connection.send(subject, request, f"{self._inbox}.{number.decode()}")
            with suppress(TimeoutError):
                await asyncio.wait_for(query.settled, timeout_s)
        finally:
            del self._queries[number]
        return query

    def _on_answer(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        query = self._queries.get(subject.rpartition(b".")[2])
        if query is not None:
            query.add_answer(header, payload)

    async def close(self) -> None:
        """Stop serving."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
        self._servings.clear()
