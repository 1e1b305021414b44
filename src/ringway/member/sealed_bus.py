"""Sealed bus: calls between members that are believed only when proven (PROTOCOL.md P-9.8).

It wraps the bus of an engine. The context of a request is its address; the context of an answer is its address, with
sender and number of its request. So no message can be forged, repeated, sent elsewhere, or exchanged for the answer to
a different request. A request is carried out once: its number must be new, and it must have been sealed lately and
after this member started. If it seems to be from before that, by its sender's clock, it may be recorded, or the clocks
differ. Then the caller is asked to call again and to name this incarnation, which was unknown before.

A request that is not believed is counted, logged within bounds, and not answered. The caller gets `NoAnswer` at its
deadline, with the likely cause.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from ringway.core.message_refusals import MessageRefusals, claimed_sender
from ringway.core.replay_window import ReplayWindow
from ringway.errors import NoAnswer, ProtocolError
from ringway.logger import get_logger
from ringway.ports import Bus, Handler, Serving
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.named_request import name_receivers, read_named
from ringway.protocol.seal import SealedMessage, Sealer, SealError, SealFault, Unsealer, check_time
from ringway.protocol.ticket import CLOCK_SKEW_S
from ringway.types import Incarnation

REQUEST, ANSWER, FAILURE, AGAIN, NAMED = 1, 2, 3, 4, 5
"""The kinds of sealed messages on the bus. The body of a failure is its reason, as text. `AGAIN` answers a request that
seems to be from before its receiver's start; the caller repeats it as `NAMED`, with the receiver's incarnation."""

_log = get_logger()


class _SealedBeforeStartError(SealError):
    """A request was sealed before this member started, by its sender's clock."""

    def __init__(self, request: SealedMessage, why: str) -> None:
        super().__init__(SealFault.STALE, why)
        self.request = request


@dataclass(slots=True)
class _Answers:
    """The proven answers to one request, by their sender, and the senders that ask for it again."""

    bodies: dict[Incarnation, bytes]
    again: set[Incarnation]


class SealedBus:
    """The bus of one member (`ports.Bus`). `wall` is Unix time and `clock` monotonic, in seconds."""

    def __init__(
        self,
        bus: Bus,
        keyring: Keyring,
        incarnation: Incarnation,
        refusals: MessageRefusals,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._incarnation = incarnation
        self._refusals = refusals
        self._wall = wall
        self._clock = clock
        self._requests = Sealer(keyring, Purpose.BUS, incarnation, wall)
        self._answers = Sealer(keyring, Purpose.BUS, incarnation, wall)
        self._unsealer = Unsealer(keyring, Purpose.BUS)
        self._window = ReplayWindow()
        self._began_at = wall()

    async def serve(self, address: str, handler: Handler) -> Serving:
        """Answer proven requests to `address` with `handler` until the returned `Serving` is closed."""

        async def answer(raw: bytes) -> bytes | None:
            try:
                request = self._open_request(address, raw)
            except _SealedBeforeStartError as error:
                self._refuse(error, address, raw)
                context = _answer_context(address, error.request.origin, error.request.number)
                return self._answers.seal(AGAIN, context, str(error).encode(), error.request.version)
            except SealError as error:
                self._refuse(error, address, raw)
                return None
            return None if request is None else await self._answer(address, request, handler)

        return await self._bus.serve(address, answer)

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the proven answer of one server; raise `NoAnswer` if there is none by the deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        answer = await self._call(address, REQUEST, request, timeout_s)
        if answer.kind == AGAIN:
            named = name_receivers((answer.origin,), request)
            answer = await self._call(address, NAMED, named, max(0.0, deadline - loop.time()))
        if answer.kind != ANSWER:
            raise NoAnswer(f"call to {address}: {answer.body.decode(errors='replace')}")
        return answer.body

    async def _call(self, address: str, kind: int, body: bytes, timeout_s: float) -> SealedMessage:
        """Return the proven message that answers a request of `kind`; raise `NoAnswer`."""
        sealed = self._requests.seal(kind, address.encode(), body)
        context = _answer_context(address, self._incarnation, self._requests.number)
        try:
            raw = await self._bus.call(address, sealed, timeout_s=timeout_s)
        except NoAnswer as error:
            if not error.timed_out:
                raise
            raise NoAnswer(
                f"{error}; it is slow, or does not believe this process: compare engine.secret, the clock and the "
                "version of both, and read its log",
                timed_out=True,
            ) from None
        try:
            return self._unsealer.unseal(context, raw)
        except SealError as error:
            self._refuse(error, address, raw)
            raise NoAnswer(f"call to {address}: its answer was not believed: {error}") from None

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the proven answers, one of each server, until there are `expected` (0: all), or until the deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        answers = await self._gather(address, REQUEST, request, timeout_s, expected)
        left_s = deadline - loop.time()
        if answers.again and left_s > 0:
            named = name_receivers(answers.again, request)
            late = await self._gather(address, NAMED, named, left_s, len(answers.again))
            answers.bodies.update(late.bodies)
        return list(answers.bodies.values())

    async def _gather(self, address: str, kind: int, body: bytes, timeout_s: float, expected: int) -> _Answers:
        """Return the proven answers to a request of `kind`."""
        sealed = self._requests.seal(kind, address.encode(), body)
        context = _answer_context(address, self._incarnation, self._requests.number)
        answers = _Answers({}, set())
        for raw in await self._bus.gather(address, sealed, timeout_s=timeout_s, expected=expected):
            try:
                answer = self._unsealer.unseal(context, raw)
            except SealError as error:
                self._refuse(error, address, raw)
                continue
            if answer.kind == ANSWER:
                answers.bodies[answer.origin] = answer.body
            elif answer.kind == AGAIN:
                answers.again.add(answer.origin)
        return answers

    def _open_request(self, address: str, raw: bytes) -> SealedMessage | None:
        """Return the request in `raw`; None if it names other members.

        Raise `SealError` if it is not proven, too old, or not new.
        """
        request = self._unsealer.unseal(address.encode(), raw)
        check_time(request, self._wall())
        if request.kind == NAMED:
            receivers, body = read_named(request.body)
            if self._incarnation not in receivers:
                return None
            request = request._replace(body=body)
        elif request.kind != REQUEST:
            raise SealError(SealFault.UNREADABLE, f"a request to {address} has the unknown kind {request.kind}")
        elif request.sent_at < self._began_at - CLOCK_SKEW_S:
            raise _SealedBeforeStartError(
                request,
                f"a request to {address} was sealed {self._began_at - request.sent_at:.0f} s before this member "
                "started, by its sender's clock; set the clocks of the machines",
            )
        self._window.check(request)
        return request

    async def _answer(self, address: str, request: SealedMessage, handler: Handler) -> bytes | None:
        """Return the answer, in the wire version of the request, which its sender can read."""
        context = _answer_context(address, request.origin, request.number)
        try:
            body = await handler(request.body)
        except ProtocolError as error:  # the caller's fault, so only the caller is informed
            return self._answers.seal(FAILURE, context, str(error).encode(errors="replace"), request.version)
        except Exception as error:
            _log.exception("a request failed", address=address)
            why = f"{type(error).__name__}: {error}"
            return self._answers.seal(FAILURE, context, why.encode(errors="replace"), request.version)
        return None if body is None else self._answers.seal(ANSWER, context, body, request.version)

    def _refuse(self, error: SealError, address: str, raw: bytes) -> None:
        sender = claimed_sender(raw)
        if self._refusals.add(Purpose.BUS, error, sender, self._clock()):
            _log.warning(
                "a call was not believed", address=address, sender=sender, fault=error.fault.value, why=str(error)
            )


def _answer_context(address: str, origin: Incarnation, number: int) -> bytes:
    """Return the context of the answer to one request. No address contains a space."""
    return f"{address} {origin} {number}".encode()
