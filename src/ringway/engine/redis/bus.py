"""Calls over Redis pub/sub; see `ports.Bus`.

    <prefix>:<cluster>:serve:{<address>}       requests to all servers of the address
    <prefix>:<cluster>:inbox:{<caller>}        answers to that caller
    <prefix>:<cluster>:claim:<id>:{<address>}  the right to work on a request: the server that sets it first has it

Redis says to how many servers it has sent a request, so a caller does not wait for servers that do not exist. Redis has
no groups in which one member gets a message. So if several servers serve an address that is called, the request begins
with `+`, and each server claims it before it begins. An answer is the number of the request, a line feed, `+` or `-`
(the handler failed), and the handler's bytes. A process serves an address once.
"""

import asyncio
import itertools
import secrets
from contextlib import suppress
from typing import Any

from ringway.engine.redis import script
from ringway.engine.redis.command_connection import pack
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.engine.request_handler import RequestHandler
from ringway.errors import EngineAway, NoAnswer
from ringway.ports import Handler

ANSWERED, FAILED = b"+", b"-"
SHARED = ord("+")

CLAIM_MS = 60_000
"""How long a claim is kept; far longer than a request is under way."""


class _PendingRequest:
    """A request under way, and the answers to it so far."""

    __slots__ = ("answers", "complete", "expected", "failures")

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self.complete = asyncio.Event()

    def add_answer(self, answered: bool, answer: bytes) -> None:
        if answered:
            self.answers.append(answer)
        else:
            self.failures.append(answer.decode(errors="replace"))
        self._check_complete()

    def expect_at_most(self, servers: int) -> None:
        """Expect no more answers than there are servers."""
        self.expected = min(self.expected or servers, servers)
        self._check_complete()

    def _check_complete(self) -> None:
        if self.expected and len(self.answers) + len(self.failures) >= self.expected:
            self.complete.set()


class RedisServing:
    """An address that is served over Redis; see `ports.Serving`."""

    def __init__(self, connections: RedisConnections, names: Names, address: str, handler: Handler) -> None:
        self._connections = connections
        self._names = names
        self._address = address
        self._handler = RequestHandler(address, handler)
        self.name = names.of("serve", address)
        self._open = True
        connections.start_subscribe(self.name, self._on_request)

    def _on_request(self, message: bytes) -> None:
        number, inbox, request = message[1:].split(b"\n", 2)

        def reply(answered: bool, data: bytes) -> None:
            # If this does not arrive, the caller's deadline ends the call.
            self._connections.publish_unconfirmed(inbox, b"%b\n%b%b" % (number, ANSWERED if answered else FAILED, data))

        if message[0] != SHARED:
            self._handler.start_request(request, reply)
            return
        caller = inbox[inbox.index(b"{") + 1 : -1].decode()
        claim = self._names.of(f"claim:{caller}:{number.decode()}", self._address)

        def on_claim(answer: Any) -> None:
            if answer == b"OK" and self._open:
                self._handler.start_request(request, reply)

        with suppress(EngineAway):
            self._connections.send_command(claim, pack("SET", claim, 1, "NX", "PX", CLAIM_MS), on_claim)

    async def close(self) -> None:
        """End the service of the address, and wait for the requests in work."""
        if self._open:
            self._open = False
            self._connections.unsubscribe(self.name)
            await self._connections.wait_confirmed(self.name)  # from now on callers learn that nobody serves
        await self._handler.close()


class RedisBus:
    """Sends and answers requests over Redis. One subscription receives all answers to this process."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self._connections = connections
        self._names = names
        self._inbox = names.of("inbox", secrets.token_hex(8))
        self._numbers = itertools.count(1)
        self._pending: dict[bytes, _PendingRequest] = {}
        self._servings: set[RedisServing] = set()
        connections.start_subscribe(self._inbox, self._on_answer)

    async def open(self) -> None:
        """Return when the server has confirmed the subscription for answers."""
        await self._connections.wait_confirmed(self._inbox)

    async def serve(self, address: str, handler: Handler) -> RedisServing:
        """Answer requests: from now on, or from Redis's return on if it is away."""
        serving = RedisServing(self._connections, self._names, address, handler)
        self._servings.add(serving)
        await self._connections.wait_confirmed(serving.name)
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return one server's answer. Raise `NoAnswer`, at once if no server serves `address`, or `EngineAway`."""
        servers, pending = await self._send_request(address, request, timeout_s, 1, one=True)
        if pending.answers:
            return pending.answers[0]
        if not servers:
            raise NoAnswer(f"call to {address}: nobody serves it")
        reason = pending.failures[0] if pending.failures else f"no answer within {timeout_s} s"
        raise NoAnswer(f"call to {address}: {reason}")

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers that arrive until there are `expected`, until all servers answered, or the deadline."""
        _, pending = await self._send_request(address, request, timeout_s, expected, one=False)
        return pending.answers

    async def _send_request(
        self, address: str, request: bytes, timeout_s: float, expected: int, *, one: bool
    ) -> tuple[int, _PendingRequest]:
        pending = _PendingRequest(expected)
        number = b"%d" % next(self._numbers)
        self._pending[number] = pending
        name = self._names.of("serve", address)
        message = b"%b\n%b\n%b" % (number, self._inbox, request)
        connections = self._connections
        command = script.request((name,), message, connections.publish_word, connections.count_word, int(one))
        servers = 0
        try:
            async with asyncio.timeout(timeout_s):
                servers = await connections.execute(name, command)
                if servers:
                    pending.expect_at_most(servers)
                    await pending.complete.wait()
        except TimeoutError:
            pass
        finally:
            del self._pending[number]
        return servers, pending

    def _on_answer(self, message: bytes) -> None:
        number, _, answer = message.partition(b"\n")
        pending = self._pending.get(number)
        if pending is not None:
            pending.add_answer(answer[:1] == ANSWERED, answer[1:])

    async def close(self) -> None:
        """Serve nothing more. Idempotent."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
        self._servings.clear()
