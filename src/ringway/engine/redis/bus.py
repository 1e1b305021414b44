"""Calls over Redis pub/sub; see `ports.Bus`.

    <prefix>:<cluster>:serve:{<address>}       requests to all servers of the address
    <prefix>:<cluster>:claim:<id>:{<address>}  the right to work on a request: the server that sets it first has it

Redis says to how many servers it has sent a request, so a caller does not wait for servers that do not exist. Redis has
no groups in which one member gets a message. So if several servers serve an address that is called, the request begins
with `+`, and each server claims it before it begins. An answer is the number of the request, a line feed, `+` or `-`
(the handler failed), and the handler's bytes; it goes to the caller's inbox (`inbox`). A process serves an address
once.
"""

import asyncio
from contextlib import suppress
from typing import Any

from ringway.engine.redis import script
from ringway.engine.redis.command_connection import pack
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.inbox import RedisInbox
from ringway.engine.redis.names import Names
from ringway.engine.request_handler import RequestHandler
from ringway.errors import EngineAway, NoAnswer
from ringway.ports import Handler

ANSWERED, FAILED = b"+", b"-"
SHARED = ord("+")

CLAIM_MS = 60_000
"""The life of a claim; far longer than a request is under way."""


class _PendingRequest:
    """A request under way, and the answers to it so far."""

    __slots__ = ("answers", "complete", "expected", "failures")

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self.complete = asyncio.Event()

    def add_answer(self, message: bytes) -> None:
        if message[:1] == ANSWERED:
            self.answers.append(message[1:])
        else:
            self.failures.append(message[1:].decode(errors="replace"))
        self._check_complete()

    def expect_at_most(self, servers: int) -> None:
        """Limit the expected answers to the number of servers."""
        self.expected = min(self.expected or servers, servers)
        self._check_complete()

    def _check_complete(self) -> None:
        if self.expected and len(self.answers) + len(self.failures) >= self.expected:
            self.complete.set()


class RedisServing:
    """An address that is served over Redis; see `ports.Serving`."""

    def __init__(
        self, connections: RedisConnections, names: Names, inbox: RedisInbox, address: str, handler: Handler
    ) -> None:
        self._connections = connections
        self._names = names
        self._inbox = inbox
        self._address = address
        self._handler = RequestHandler(address, handler)
        self.name = names.of("serve", address)
        self._open = True
        connections.start_subscribe(self.name, self._on_request)

    def _on_request(self, message: bytes) -> None:
        read = self._read(message)
        if read is None:
            self._handler.start_request(message, _ignore_reply)  # which refuses it, and counts it
            return
        number, inbox, request = read

        def reply(answered: bool, data: bytes) -> None:
            # If this does not arrive, the caller's deadline ends the call.
            self._connections.publish_unconfirmed(inbox, b"%b\n%b%b" % (number, ANSWERED if answered else FAILED, data))

        if message[0] != SHARED:
            self._handler.start_request(request, reply)
            return
        caller = inbox[inbox.find(b"{") + 1 : -1].decode(errors="replace")
        claim = self._names.of(f"claim:{caller}:{number.decode()}", self._address)

        def on_claim(answer: Any) -> None:
            if answer == b"OK" and self._open:
                self._handler.start_request(request, reply)

        with suppress(EngineAway):
            self._connections.send_command(claim, pack("SET", claim, 1, "NX", "PX", CLAIM_MS), on_claim)

    def _read(self, message: bytes) -> tuple[bytes, bytes, bytes] | None:
        """Return number, inbox and request of a message; None if no member has sent it."""
        parts = message[1:].split(b"\n", 2)
        if len(parts) != 3 or not parts[0].isdigit() or not self._inbox.is_inbox(parts[1]):
            return None
        number, inbox, request = parts
        return number, inbox, request

    async def close(self) -> None:
        """End the service of the address, and wait for the requests in work."""
        if self._open:
            self._open = False
            self._connections.unsubscribe(self.name)
            await self._connections.wait_confirmed(self.name)  # from now on callers learn that there is no server
        await self._handler.close()


class RedisBus:
    """Sends and answers requests over Redis."""

    def __init__(self, connections: RedisConnections, names: Names, inbox: RedisInbox) -> None:
        self._connections = connections
        self._names = names
        self._inbox = inbox
        self._servings: set[RedisServing] = set()

    async def serve(self, address: str, handler: Handler) -> RedisServing:
        """Answer requests: from now on, or from Redis's return on if it is away."""
        serving = RedisServing(self._connections, self._names, self._inbox, address, handler)
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
        if pending.failures:
            raise NoAnswer(f"call to {address}: {pending.failures[0]}")
        raise NoAnswer(f"call to {address}: no answer within {timeout_s} s", timed_out=True)

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers that arrive until there are `expected`, until all servers answered, or the deadline."""
        _, pending = await self._send_request(address, request, timeout_s, expected, one=False)
        return pending.answers

    async def _send_request(
        self, address: str, request: bytes, timeout_s: float, expected: int, *, one: bool
    ) -> tuple[int, _PendingRequest]:
        pending = _PendingRequest(expected)
        number = self._inbox.open(pending.add_answer)
        name = self._names.of("serve", address)
        message = b"%b\n%b\n%b" % (number, self._inbox.name, request)
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
            self._inbox.close(number)
        return servers, pending

    async def close(self) -> None:
        """Stop serving all addresses. Idempotent."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
        self._servings.clear()


def _ignore_reply(answered: bool, data: bytes) -> None:
    """Do not answer: the message does not name its sender."""
