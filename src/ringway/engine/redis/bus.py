"""Calls over Redis pub/sub; see `ports.Bus`.

    <prefix>:<cluster>:serve:{<address>}       requests to all who serve the address
    <prefix>:<cluster>:inbox:{<caller>}        answers to that caller
    <prefix>:<cluster>:claim:<id>:{<address>}  who of several works on a request: the first to set it

Redis says to how many it has sent a request, so that nobody waits for who is not there. It has no groups of which only
one gets a message: where several serve an address that is called, the request begins with `+`, and each claims it
before it begins. An answer is the number of the question, a line feed, `+`, or `-` where the handler failed, and what
it says. A process serves an address once.
"""

import asyncio
import itertools
import secrets
from contextlib import suppress
from typing import Any

from ringway.engine.redis import script
from ringway.engine.redis.command_connection import pack
from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.engine.request_handler import RequestHandler
from ringway.errors import EngineAway, NoAnswer
from ringway.ports import Handler

ANSWERED, FAILED = b"+", b"-"
SHARED = ord("+")

CLAIM_MS = 60_000
"""How long a claim is remembered; far longer than a request is on its way."""


class _Question:
    """One request under way, and the answers to it so far."""

    __slots__ = ("answers", "expected", "failures", "settled")

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self.settled = asyncio.Event()

    def take(self, answered: bool, answer: bytes) -> None:
        """Take one answer."""
        if answered:
            self.answers.append(answer)
        else:
            self.failures.append(answer.decode(errors="replace"))
        self.settle()

    def limit(self, servers: int) -> None:
        """Expect no more answers than there are servers."""
        self.expected = min(self.expected or servers, servers)
        self.settle()

    def settle(self) -> None:
        """Wait for no more answers where all have come."""
        if self.expected and len(self.answers) + len(self.failures) >= self.expected:
            self.settled.set()


class RedisServing:
    """An address served over Redis; see `ports.Serving`."""

    def __init__(self, wire: Wire, names: Names, address: str, handler: Handler) -> None:
        self._wire = wire
        self._names = names
        self._address = address
        self._handler = RequestHandler(address, handler)
        self.name = names.of("serve", address)
        self._open = True
        wire.tap(self.name, self._asked)

    def _asked(self, message: bytes) -> None:
        number, inbox, request = message[1:].split(b"\n", 2)

        def answer(answered: bool, data: bytes) -> None:
            # The asker has a deadline, should this not arrive.
            self._wire.say(inbox, b"%b\n%b%b" % (number, ANSWERED if answered else FAILED, data))

        if message[0] != SHARED:
            self._handler.start_request(request, answer)
            return
        caller = inbox[inbox.index(b"{") + 1 : -1].decode()
        claim = self._names.of(f"claim:{caller}:{number.decode()}", self._address)

        def claimed(said: Any) -> None:
            if said == b"OK" and self._open:
                self._handler.start_request(request, answer)

        with suppress(EngineAway):
            self._wire.send(claim, pack("SET", claim, 1, "NX", "PX", CLAIM_MS), claimed)

    async def close(self) -> None:
        """Serve the address no more; requests in work are waited for."""
        if self._open:
            self._open = False
            self._wire.untap(self.name)
            await self._wire.confirmed(self.name)  # from then on a caller is told that nobody serves
        await self._handler.close()


class RedisBus:
    """Asks and answers over Redis. One subscription takes the answers to all questions of this process."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._names = names
        self._inbox = names.of("inbox", secrets.token_hex(8))
        self._numbers = itertools.count(1)
        self._questions: dict[bytes, _Question] = {}
        self._servings: set[RedisServing] = set()
        wire.tap(self._inbox, self._answered)

    async def open(self) -> None:
        """Return when answers would arrive."""
        await self._wire.confirmed(self._inbox)

    async def serve(self, address: str, handler: Handler) -> RedisServing:
        """Answer requests, at once or, where Redis is away, from its return on."""
        serving = RedisServing(self._wire, self._names, address, handler)
        self._servings.add(serving)
        await self._wire.confirmed(serving.name)
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return one server's answer. Raise `NoAnswer`, at once where nobody serves, or `EngineAway`."""
        servers, question = await self._ask(address, request, timeout_s, 1, one=True)
        if question.answers:
            return question.answers[0]
        if not servers:
            raise NoAnswer(f"call to {address}: nobody serves it")
        reason = question.failures[0] if question.failures else f"no answer within {timeout_s} s"
        raise NoAnswer(f"call to {address}: {reason}")

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers that came: until `expected` did, all who serve, or the deadline."""
        _, question = await self._ask(address, request, timeout_s, expected, one=False)
        return question.answers

    async def _ask(
        self, address: str, request: bytes, timeout_s: float, expected: int, *, one: bool
    ) -> tuple[int, _Question]:
        question = _Question(expected)
        number = b"%d" % next(self._numbers)
        self._questions[number] = question
        name = self._names.of("serve", address)
        message = b"%b\n%b\n%b" % (number, self._inbox, request)
        servers = 0
        try:
            async with asyncio.timeout(timeout_s):
                servers = await self._wire.ask(
                    name, script.ask((name,), message, self._wire.publish_word, self._wire.count_word, int(one))
                )
                if servers:
                    question.limit(servers)
                    await question.settled.wait()
        except TimeoutError:
            pass
        finally:
            del self._questions[number]
        return servers, question

    def _answered(self, message: bytes) -> None:
        number, _, said = message.partition(b"\n")
        question = self._questions.get(number)
        if question is not None:
            question.take(said[:1] == ANSWERED, said[1:])

    async def close(self) -> None:
        """Serve nothing more."""
        await asyncio.gather(*(serving.close() for serving in self._servings))
        self._servings.clear()
